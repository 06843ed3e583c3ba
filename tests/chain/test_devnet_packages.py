"""Packages come in whole and as pinned, or not at all."""

import base64
import hashlib
import io
import multiprocessing
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from keeper.devnet.packages import Package, package_dir
from keeper.errors import DevnetError

FILES = {"package/package.json": b"{}", "package/build/A.json": b"[]" * 50_000}
NPM = """#!/bin/sh
# what npm pack does, without a registry: the tarball lands in the folder after --pack-destination
echo called >> "{calls}"
sleep 0.2
while [ "$1" != --pack-destination ]; do shift; done
cp "{tarball}" "$2/"
"""


def tarball(path: Path, files: dict[str, bytes]) -> str:
    """Writes one and returns its integrity as npm would give it."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry of one tarball; the path is where its calls are counted."""
    calls = tmp_path / "calls"
    script = tmp_path / "bin" / "npm"
    script.parent.mkdir()
    script.write_text(NPM.format(calls=calls, tarball=tmp_path / "some-thing-1.0.0.tgz"))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("KEEPER_CACHE", str(tmp_path / "cache"))
    return calls


@pytest.fixture
def package(npm: Path) -> Package:
    return Package("@some/thing", "1.0.0", tarball(npm.parent / "some-thing-1.0.0.tgz", FILES))


def fetch(package: Package) -> str:
    return str(package_dir(package))


def test_two_processes_fetch_one_package(package: Package, npm: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.map(fetch, [package, package], chunksize=1)
    assert first == second
    assert npm.read_text().count("called") == 2, "they did not race"
    tree = {str(file.relative_to(first)): file.read_bytes() for file in Path(first).rglob("*") if file.is_file()}
    assert tree == {name.removeprefix("package/"): content for name, content in FILES.items()}
    assert [entry.name for entry in Path(first).parent.iterdir()] == [package.directory], "something was left behind"


def test_of_a_large_package_only_what_is_used_is_kept(package: Package) -> None:
    name = next(iter(FILES)).removeprefix("package/")
    whole = Path(fetch(package))
    part = Path(fetch(replace(package, only=(name,))))
    assert part != whole
    assert [str(file.relative_to(part)) for file in part.rglob("*") if file.is_file()] == [name]


def test_a_package_is_fetched_once(package: Package, npm: Path) -> None:
    assert package_dir(package) == package_dir(package)
    assert npm.read_text().count("called") == 1


def test_another_tarball_than_the_pinned_one_is_refused(package: Package, npm: Path) -> None:
    tarball(npm.parent / "some-thing-1.0.0.tgz", FILES | {"package/evil.js": b"!"})
    with pytest.raises(DevnetError, match=r"@some/thing@1\.0\.0 is not the pinned one: expected sha512-") as refusal:
        package_dir(package)
    assert package.integrity in str(refusal.value)
    assert list((npm.parent / "cache").rglob("*")) == []


def test_a_tarball_cannot_write_outside_of_its_folder(npm: Path) -> None:
    integrity = tarball(npm.parent / "some-thing-1.0.0.tgz", {"package/../../../escaped": b"!"})
    with pytest.raises(DevnetError, match="which is outside of it"):
        package_dir(Package("@some/thing", "1.0.0", integrity))
    assert not list(npm.parent.rglob("escaped"))


def test_what_npm_says_is_passed_on(package: Package, npm: Path) -> None:
    (npm.parent / "bin" / "npm").write_text("#!/bin/sh\necho 'E404 no such package' >&2\nexit 7\n")
    with pytest.raises(DevnetError, match=r"npm pack @some/thing@1\.0\.0 failed \(exit 7\): E404 no such package"):
        package_dir(package)


def test_no_npm_says_what_to_install(package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DevnetError, match=r"npm is needed .* install Node\.js"):
        package_dir(package)
