"""Every mistake is told at once, with its origin, key, value and what is allowed."""

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import ConfigError, Exit
from keeper.executor.relays.registry import KINDS
from keeper.settings import Relay, load

LEAST = {"KEEPER_CHAIN__ID": "1", "KEEPER_CHAIN__RPC": "http://127.0.0.1:8545"}
KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # anvil's first, known to everyone
CREDENTIAL = "aBcDeF0123456789aBcDeF0123456789"


def problems(
    folder: Path, text: str = "", environ: dict[str, str] | None = None, flags: tuple[tuple[str, str], ...] = ()
) -> list[str]:
    file = folder / "keeper.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, flags, environ or {})
    assert caught.value.exit_code == Exit.USAGE
    return [line.replace(f"{file}", "keeper.toml") for line in caught.value.problems]


def test_all_at_once_each_with_origin_key_value_and_what_is_allowed(tmp_path: Path) -> None:
    text = """
[chain]
id = 0
rpc = ["ftp://a", "http://ok"]
bacth = 5

[[markets]]
protocol = "aave_v3"
address = "0x12"

[[markets]]
protocol = "aave_v3"
address = "0x2f39d218133AFaB8F2B819B1066c7E434Ad94E9f"
from_block = -1
"""
    environ = {"KEEPER_OPS__PORT": "99999", "KEEPER_CHAIN_ID": "1"}
    found = problems(tmp_path, text, environ, (("policy.tip", "0.5 wei"), ("store.undo_blocks", "x")))
    assert sorted(found) == sorted(
        [
            (
                "keeper.toml:3: chain.id = 0: must be greater than or equal to 1"
                " (chain id; every endpoint must answer with it)"
            ),
            (
                "keeper.toml:4: chain.rpc.0 = 'ftp://a': a URL that begins with http:// or https://"
                " (http(s) endpoints, best first)"
            ),
            (
                "keeper.toml:5: chain.bacth: unknown key; did you mean batch? known here:"
                " id, rpc, ws, block_time, wrapped_native, fee_elasticity, fee_denominator,"
                " fee_in_header, timeout, long_timeout, stall, in_flight, batch"
            ),
            (
                "keeper.toml:9: markets.0.address = '0x12': an address is 0x and 40 hex digits"
                " (its entry point; Aave v3: the PoolAddressesProvider)"
            ),
            (
                "keeper.toml:7: markets.0.from_block: missing (the block it was deployed in, or any before);"
                " set KEEPER_MARKETS__0__FROM_BLOCK, a secret file keeper_markets__0__from_block,"
                " or the flag --markets.0.from_block"
            ),
            (
                "keeper.toml:13: markets.1.address = '0x2f39d218133AFaB8F2B819B1066c7E434Ad94E9f':"
                " the address has a wrong checksum: a digit is mistyped"
                " (its entry point; Aave v3: the PoolAddressesProvider)"
            ),
            (
                "keeper.toml:14: markets.1.from_block = -1: must be greater than or equal to 0"
                " (the block it was deployed in, or any before)"
            ),
            (
                "environment KEEPER_OPS__PORT: ops.port = '99999': must be less than or equal to 65535"
                " (its port; 0: any free one)"
            ),
            (
                "environment KEEPER_CHAIN_ID: chain_id: unknown key; did you mean chain? known here:"
                " chain, markets, venues, lenders, quoters, executor, signer, relays, pending, policy, risk, store, ops"
            ),
            (
                "flag --policy.tip: policy.tip = '0.5 wei': an amount has no fractions of a wei"
                " (priority fee per gas; some channels share nothing without one)"
            ),
            (
                "flag --store.undo_blocks: store.undo_blocks = 'x': must be a valid integer,"
                " unable to parse string as an integer (blocks whose changes can be undone)"
            ),
        ]
    )


def test_nothing_given_at_all() -> None:
    with pytest.raises(ConfigError) as caught:
        load(environ={})
    assert caught.value.problems == (
        (
            "chain.id: missing (chain id; every endpoint must answer with it);"
            " set KEEPER_CHAIN__ID, a secret file keeper_chain__id, or the flag --chain.id"
        ),
        (
            "chain.rpc: missing (http(s) endpoints, best first);"
            " set KEEPER_CHAIN__RPC, a secret file keeper_chain__rpc, or the flag --chain.rpc"
        ),
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (f'[signer]\nprivate_key = "0x{KEY}"', "keeper.toml:2: signer.private_key: this is a secret"),
        (f'[signer]\nenv = "{KEY}"', "keeper.toml:2: signer.env: this looks like a private key"),
        ('mnemonic = "test test test"', "keeper.toml:1: mnemonic: this is a secret"),
        ('[signer]\npassword = "hunter22"', "keeper.toml:2: signer.password: this is a secret"),
        ('[ops]\nalerts = ["tgram://x/y"]', "keeper.toml:2: ops.alerts.0: this is a secret"),
        (
            '[[relays]]\nkind = "bloxroute"\nurl = "https://a"\nauthorization = "hunter22"',
            "keeper.toml:4: relays.0.authorization: this is a secret",
        ),
        (f'[chain]\nrpc = ["https://a/v2/{CREDENTIAL}"]', "keeper.toml:2: chain.rpc.0: this URL holds a credential"),
        ('[chain]\nws = ["wss://me:hunter22@a"]', "keeper.toml:2: chain.ws.0: this URL holds a credential"),
        ('[chain]\nws = ["wss://a/?key=hunter22"]', "keeper.toml:2: chain.ws.0: this URL holds a credential"),
    ],
)
def test_a_secret_in_toml_is_refused_and_not_shown(tmp_path: Path, text: str, where: str) -> None:
    found = problems(tmp_path, text, LEAST)
    assert len(found) == 1
    assert found[0].startswith(f"{where}, and a secret has no place in TOML; ")
    assert "flag" not in found[0]
    assert not any(secret in found[0] for secret in (KEY, CREDENTIAL, "hunter22", "test test", "tgram"))


@pytest.mark.parametrize("value", [KEY, f"0x{KEY}", f"https:/a/?k={KEY}", "https://me:hunter22@ a"])
@pytest.mark.parametrize("key", ["signer.env", "chain.rpc", "relays.0.kind", "executor.address"])
def test_a_refused_value_that_is_a_secret_is_masked(tmp_path: Path, key: str, value: str) -> None:
    found = "\n".join(problems(tmp_path, "", LEAST, ((key, value),)))
    assert key in found
    assert not any(secret in found for secret in (KEY, CREDENTIAL, "hunter22"))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((("markets.1.address", "0x"),), "flag --markets.1.address: markets.1.address leads nowhere: markets has no 1"),
        ((("chain.id.x", "1"),), "flag --chain.id.x: chain.id.x leads nowhere: chain.id has no 'x'"),
        ((("chain.5", "1"),), "flag --chain.5: chain.5 leads nowhere: chain has no 5"),
        ((("signer.keystore", "a"),), "flag --signer.keystore: signer: keystore and password_file belong together"),
        ((("signer.url", "http://a"),), "signer: url needs address"),
        ((("signer.env", "A"), ("signer.url", "http://a")), "signer: only one of keystore, env and url"),
        ((("policy.bid_low", "6000"),), "policy: bid_low 6000 <= bid_start 5000 <= bid_high 9500 does not hold"),
        (
            (("policy.patience", "33"),),
            "flag --policy.patience: policy.patience = '33': must be less than or equal to 32",
        ),
        ((("policy.patience", "-1"),), "policy.patience = '-1': must be greater than or equal to 0"),
        ((("markets", "5"),), "flag --markets: markets.0 = '5': is a table; known here: protocol, address, from_block"),
        ((("markets", "[{"),), "flag --markets: markets = '[{': "),
        ((("executor.address", "0x" + "0" * 40),), "the zero address is nobody's"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, flags: tuple[tuple[str, str], ...], expected: str) -> None:
    found = problems(tmp_path, "[chain]\nid = 1", {"KEEPER_CHAIN__RPC": "http://a"}, flags)
    assert len(found) == 1
    assert expected in found[0]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("[chain\n", encoding="utf-8")
    (tmp_path / "latin.toml").write_bytes(b'[chain]\nid = "\xe9"\n')
    for name, expected in {
        "none.toml": "cannot be read: No such file or directory",
        "broken.toml": "is not TOML: Expected ']' at the end of a table declaration (at line 1, column 7)",
        "latin.toml": "is not UTF-8",
        ".": "cannot be read: Is a directory",
    }.items():
        with pytest.raises(ConfigError, match=r".") as caught:
            load(tmp_path / name, environ=LEAST)
        assert expected in str(caught.value)


def test_lines_are_right_in_a_file_written_in_every_style(tmp_path: Path) -> None:
    text = """
# comment = 1
"chain" . id = 1   # dotted and quoted
chain.rpc = [
    "http://a",
    "ftp://b",
]
[ ops ]  # spaces
'port' = "x"
[[ markets ]]
[[markets]]
protocol = "A"
"""
    found = problems(tmp_path, text)
    lines = {line.split(": ")[1].split(" = ")[0]: int(line.split(":")[1]) for line in found}
    assert {
        "chain.rpc.1": 4,
        "ops.port": 9,
        "markets.0.protocol": 10,
        "markets.1.protocol": 12,
        "markets.1.address": 11,
    }.items() <= lines.items()


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=3))
def test_nothing_in_the_environment_breaks_loading_except_as_a_config_error(names: dict[str, str]) -> None:
    environ = LEAST | {f"KEEPER_{name}": value for name, value in names.items()}
    try:
        chain_id = load(environ=environ).chain.id
    except ConfigError as error:
        chain_id = len(error.problems)
    assert chain_id > 0


def test_the_relay_kinds_are_those_that_exist() -> None:
    assert set(get_args(Relay.model_fields["kind"].annotation)) == set(KINDS)
