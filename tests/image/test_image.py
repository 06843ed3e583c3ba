"""The image is what the README says: built from the Dockerfile, run as its user on a root that cannot be written."""

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from keeper import __version__
from keeper.devnet.world import World
from tests.edge.command import configured
from tests.image.container import Container, container

PATIENCE = 60.0


@pytest.mark.slow
def test_the_image_is_built_and_everything_in_it_works(world: World, tmp_path: Path) -> None:
    """One test, because it is one image: building it takes minutes."""
    with container() as image:
        says_what_it_is(image)
        is_closed(image)
        config = image.state / "keeper.toml"
        config.write_text(configured(tmp_path, world).read_text().replace(str(tmp_path), "/state"), encoding="utf-8")
        checks(image, world)
        runs_and_stops(image)
        plays_the_demonstration(image)


def says_what_it_is(image: Container) -> None:
    config = image.config
    assert config["User"] not in ("", "0", "root")
    assert (config["Entrypoint"], config["StopSignal"]) == (["keeper"], "SIGTERM")
    assert list(config["Volumes"]) == ["/state"]
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert image.keeper("--version").stdout.strip() == f"keeper {__version__}"
    assert "dry-run" in image.keeper(*config["Cmd"]).stdout


def is_closed(image: Container) -> None:
    """No way to write, no way up, nothing to build with."""
    assert image.run("id", "-u").stdout.strip() == str(image.user[0]) != "0"
    for place in ("/", "/opt/keeper", "/opt/world", "/etc/keeper"):
        assert "Read-only file system" in image.run("touch", f"{place}/x").stderr
    for place in ("/tmp", "/state"):  # noqa: S108 - of the container
        assert image.run("touch", f"{place}/x").returncode == 0
    assert [tool for tool in ("gcc", "npm", "node", "curl") if image.run("sh", "-c", f"command -v {tool}").stdout] == []
    assert not (image.root / "root" / ".cache").exists()
    for lent in ("etc/pip.conf",):
        assert not (image.root / lent).exists() or (image.root / lent).stat().st_size == 0


def checks(image: Container, world: World) -> None:
    done = image.keeper("check", "--config", "/state/keeper.toml", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"block {world.block_number()}" in done.stdout
    wrong = image.keeper("check", "--config", "/state/keeper.toml", "--chain.id", "5")
    assert wrong.returncode == 3


def runs_and_stops(image: Container) -> None:
    """The daemon as the first process of its container: its health is asked as the image says, SIGTERM ends it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    process = image.start(*image.config["Entrypoint"], "run", "--config", "/state/keeper.toml", KEEPER_OPS__PORT=port)
    probe = image.config["Healthcheck"]["Test"][1:]
    end = time.monotonic() + PATIENCE
    while image.run(*probe, KEEPER_OPS__PORT=port).returncode != 0:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
        assert f'version="{__version__}"' in reply.read().decode()
    (first,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(first), signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE)
    assert json.loads(err.splitlines()[-1])["event"] == "daemon.stopped", err
    assert process.returncode == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5)
    assert image.run(*probe, KEEPER_OPS__PORT=port).returncode != 0


def plays_the_demonstration(image: Container) -> None:
    done = image.keeper("demo", "--accounts", "12", "--pace", "0.4", "--report", "/state/report.json")
    assert done.returncode == 0, done.stdout + done.stderr[-3_000:]
    assert "everything went right" in done.stdout
    totals = json.loads((image.state / "report.json").read_text())["totals"]
    assert int(totals["liquidated"]) > 0
