"""The image as the Dockerfile makes it, built and run without a container engine: by Debian's buildah, in a chroot.

Law: of this machine the build sees certificates and pip's settings, nothing else. What runs, runs as the image says:
its user, its variables, its entry point; its root cannot be written, its volume and /tmp can. All is gone afterwards.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from keeper.devnet.cache import build_once, cache_dir

ROOT: Final = Path(__file__).parents[2]
RELEASE: Final = "bookworm"
PYTHON: Final = "python3,python3-venv"
LENT: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")
TOOLS: Final = ("buildah", "debootstrap", "unshare")
TAG: Final = "localhost/keeper"
RUN: Final = """
set -e
root=$1 state=$2 user=$3 folder=$4; shift 4
mount --bind "$root" "$root"
mount -o remount,ro,bind "$root"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$state" "$root/state"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
exec chroot --userspec="$user" "$root" /usr/bin/env -i -C "$folder" "$@"
"""


class Container:
    """One container of the image. ``state`` is its volume."""

    def __init__(self, folder: Path) -> None:
        lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
        assert not lacking, f"{', '.join(lacking)}: not there; make image-tools installs them"
        assert os.geteuid() == 0, "buildah builds in a chroot, which takes root"
        self.state = folder / "state"
        self._storage = ["--root", str(folder / "storage"), "--runroot", str(folder / "run")]
        self._build()
        self._name = self._buildah("from", TAG)
        self.root = Path(self._buildah("mount", self._name))
        self.state.mkdir()
        os.chown(self.state, *self.user)

    def close(self) -> None:
        self._buildah("rm", "--all")
        self._buildah("rmi", "--all", "--force")

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """What the image says of itself."""
        found: Mapping[str, Any] = json.loads(self._buildah("inspect", "--type", "image", TAG))["Docker"]["config"]
        return found

    @property
    def user(self) -> tuple[int, int]:
        """Numbers of the image's user and group."""
        lines = (self.root / "etc/passwd").read_text(encoding="utf-8").splitlines()
        fields = next(line.split(":") for line in lines if line.split(":")[0] == self.config["User"])
        return int(fields[2]), int(fields[3])

    def start(self, *words: str, **environ: str) -> "subprocess.Popen[str]":
        """Any command; in namespaces of its own, as its first process."""
        variables = [*self.config["Env"], *(f"{name}={value}" for name, value in environ.items())]
        user = ":".join(map(str, self.user))
        inside = [str(self.root), str(self.state), user, self.config["WorkingDir"], *variables, *words]
        return subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", RUN, "sh", *inside],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """The same, to its end."""
        process = self.start(*words, **environ)
        out, err = process.communicate(timeout=180)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def keeper(self, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """The image's entry point."""
        return self.run(*self.config["Entrypoint"], *words, **environ)

    def _build(self) -> None:
        base = self._buildah("from", "scratch")
        shutil.copytree(_debian(), self._buildah("mount", base), symlinks=True, dirs_exist_ok=True)
        self._buildah("commit", base, "localhost/base")
        lent = [f"--volume={path}:{path}:ro" for path in LENT if Path(path).exists()]
        how = ("--format=docker", "--layers=false", "--build-arg=BASE=localhost/base", *lent)
        self._buildah("build", *how, "--tag", TAG, str(ROOT))

    def _buildah(self, *words: str) -> str:
        environ = os.environ | {"BUILDAH_ISOLATION": "chroot"}
        command = ["buildah", *self._storage, *words]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"buildah {words[0]}: {done.stdout[-2_000:]}{done.stderr[-4_000:]}"
        return done.stdout.strip()


@contextmanager
def container() -> Iterator[Container]:
    """Built, for a while."""
    with tempfile.TemporaryDirectory(prefix="keeper-image-", ignore_cleanup_errors=True) as folder:
        made = Container(Path(folder))
        try:
            yield made
        finally:
            made.close()


def _debian() -> Path:
    """The least of Debian that has Python; what ``python:3.11-slim`` is for those who reach a registry of images."""

    def build(scratch: Path) -> None:
        command = ["debootstrap", "--variant=minbase", f"--include={PYTHON}", RELEASE, str(scratch)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2_000:]
        shutil.rmtree(scratch / "dev")
        (scratch / "dev").mkdir()

    return build_once(cache_dir() / "images" / f"{RELEASE}-{PYTHON}", build)
