"""``keeper deploy``: the executor, its owner and its roles are on the chain, and a second run sends nothing."""

import json
from collections.abc import Sequence
from pathlib import Path

from keeper.contracts.encode import encode_set_roles
from keeper.core.plans import Role
from keeper.demo.run import KEYS
from keeper.demo.stage import KINDS, OWNER, TREASURY, deploy_executor, factories
from keeper.devnet.world import World
from keeper.executor.signer import LocalSigner
from tests.edge.command import configured, keeper, records

SIGNERS = LocalSigner([bytes.fromhex(key) for key in KEYS]).addresses


NOBODY = "http://127.0.0.1:1/"


def _config(world: World, folder: Path, executor: str = "", relays: Sequence[str] = (NOBODY,)) -> Path:
    file = configured(folder, world)
    venues = ""
    for one in factories(world):
        venues += f'[[venues]]\nkind = "{KINDS[one.kind]}"\naddress = "{one.deployer}"\n'
        venues += f'init_code_hash = "0x{one.init_hash.hex()}"\n'
    address = f'address = "{executor}"' if executor else ""
    text = file.read_text().replace("[[markets]]", f'wrapped_native = "{world.asset("WETH")}"\n[[markets]]', 1)
    text += f'{venues}[executor]\nprofit_recipient = "{TREASURY}"\n{address}\n[signer]\nenv = "TEST_KEYS"\n'
    for place, url in enumerate(relays):
        text += f'[[relays]]\nkind = "flashbots"\nname = "relay-{place}"\nurl = "{url}"\n'
    file.write_text(text)
    return file


def _word(world: World, to: str, data: str) -> int:
    return int(world.rpc.rpc("eth_call", {"to": to, "data": data}, "latest"), 16)


def test_once_for_all(world: World, tmp_path: Path) -> None:
    world.fund(*SIGNERS)
    keys = ",".join(KEYS)
    first = keeper("deploy", "--config", str(_config(world, tmp_path)), "--json", TEST_KEYS=keys)
    assert first.returncode == 0, first.stderr
    done = json.loads(first.stdout)
    assert (done["owner"], done["treasury"], done["missing"], done["configured"]) == (SIGNERS[0], TREASURY, {}, False)
    assert len(done["sent"]) == 3
    roles = {world.layout.aave.pool: Role.MARKET, **dict.fromkeys(SIGNERS, Role.CALLER)}
    assert set(done["roles"]) == set(roles)
    for target, role in roles.items():
        assert _word(world, done["address"], f"0x99374642{target[2:]:0>64}") == role
    before = world.block_number()
    config = _config(world, tmp_path, done["address"])
    again = keeper("deploy", "--config", str(config), TEST_KEYS=keys)
    assert again.returncode == 0, again.stderr
    assert "was there already" in again.stdout
    assert "executor.address is set to it" in again.stdout
    assert world.block_number() == before
    for relays, code, said in (  # the node answers like any server that speaks JSON-RPC
        ((world.anvil.url,), 0, "ok       relay relay-0: answers in "),
        ((NOBODY, world.anvil.url), 0, "note     relay relay-0: does not take us: "),
        ((NOBODY, NOBODY), 5, "PROBLEM  relay relay-1: does not take us: "),
    ):
        config = _config(world, tmp_path, done["address"], relays)
        checked = keeper("check", "--config", str(config), TEST_KEYS=keys)
        assert checked.returncode == code, checked.stdout
        assert said in checked.stdout


def test_check_holds_the_executor_to_its_code_its_owner_and_its_roles(world: World, tmp_path: Path) -> None:
    world.fund(*SIGNERS)
    address = deploy_executor(world, SIGNERS[:-1])
    market = encode_set_roles([world.layout.aave.pool], Role.MARKET)
    world.rpc.send(OWNER, address, "0x" + market.hex())

    def executor(file: Path, **environ: str) -> dict[str, str]:
        found = records(keeper("check", "--config", str(file), "--json", **environ))
        return next(one for one in found if one["subject"] == "executor" and "is a contract" not in one["says"])

    config = _config(world, tmp_path, address, (world.anvil.url,))
    lacking = executor(config, TEST_KEYS=",".join(KEYS))
    assert lacking["grade"] == "problem"
    assert lacking["says"] == f"{address} does not know {SIGNERS[-1]} as caller"
    assert OWNER in lacking["do"]
    assert executor(config, TEST_KEYS=",".join(KEYS[:-1]))["says"] == (
        f"{address} knows its callers and everybody they call"
    )
    config.write_text(config.read_text().replace(TREASURY, SIGNERS[0]))
    other = executor(config, TEST_KEYS=KEYS[0])
    assert (other["grade"], "not one of this profit_recipient" in other["says"]) == ("problem", True)


def test_all_that_is_missing_is_said_at_once(world: World, tmp_path: Path) -> None:
    done = keeper("deploy", "--config", str(configured(tmp_path, world)))
    assert (done.returncode, done.stdout) == (2, "")
    for key in ("signer", "executor.profit_recipient", "chain.wrapped_native", "venues"):
        assert f"keeper: {key}: " in done.stderr


def test_run_starts_with_nothing_that_check_finds_wrong_and_says_all_of_it(world: World, tmp_path: Path) -> None:
    config = configured(tmp_path, world)
    right = config.read_text()
    nowhere = '[executor]\naddress = "0x00000000000000000000000000000000000000aa"\n'
    for text, code in (
        (right.replace("id = 31337", "id = 1") + nowhere, 3),
        (right + '[signer]\nenv = "TEST_KEYS"\n', 2),
    ):
        config.write_text(text)
        checked = keeper("check", "--config", str(config), "--json", TEST_KEYS=KEYS[0])
        done = keeper("run", "--config", str(config), TEST_KEYS=KEYS[0])
        wrong = [one for one in records(checked) if one["grade"] == "problem"]
        assert len(wrong) >= (code == 2) + 1
        assert (done.returncode, checked.returncode, done.stdout) == (code, code, "")
        for one in wrong:
            assert f"keeper: {one['subject']}: {one['says']}" in done.stderr
        assert not (tmp_path / "state.sqlite").exists()


def test_why_needs_an_account(world: World, tmp_path: Path) -> None:
    config = configured(tmp_path, world)
    assert keeper("why", "0x12", "--config", str(config)).returncode == 2
    assert keeper("why", "0x" + "ab" * 20, "--config", str(config)).returncode == 4
    assert keeper("accounts", "--config", str(config)).returncode == 0
    unknown = keeper("why", "0x" + "ab" * 20, "--config", str(config))
    assert (unknown.returncode, "no market has this account" in unknown.stdout) == (1, True)
    (borrower,) = world.borrowers(1, 7)
    healthy = keeper("why", borrower.account.upper().replace("X", "x"), "--config", str(config))
    assert (healthy.returncode, "healthy: health factor" in healthy.stdout) == (0, True)
