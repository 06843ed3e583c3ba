"""Where settings come from and what they become."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from keeper import redact
from keeper.errors import ConfigError
from keeper.setting_errors import keys
from keeper.settings import Settings, load, read_secret

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config" / "example.toml"
MARKET = "0x2f39d218133afab8f2b819b1066c7e434ad94e9e"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
LEAST = {"KEEPER_CHAIN__ID": "1", "KEEPER_CHAIN__RPC": "http://127.0.0.1:8545"}


def written(folder: Path, text: str) -> Path:
    file = folder / "keeper.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_example_is_valid_and_shows_the_defaults() -> None:
    example, bare = load(EXAMPLE, environ={}), load(environ=LEAST)
    assert example.chain == bare.chain.model_copy(update={"ws": ("ws://127.0.0.1:8546",), "wrapped_native": WETH})
    assert example.markets[0].address == MARKET
    assert example.policy == bare.policy.model_copy(update={"min_profit": 3 * 10**15})
    assert example.risk == bare.risk.model_copy(update={"kill_switch": Path("keeper.stop")})
    assert (example.store, example.ops) == (bare.store, bare.ops)


def test_the_example_explains_every_key() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    section, explained = "", set()
    for line in lines:
        if line.startswith("["):
            section = line.strip("[]")
        key, equals, rest = line.removeprefix("# ").partition(" = ")
        if equals and "#" in rest:
            explained.add((section, key))
    assert explained >= {path for path, _ in keys(Settings)}


def test_the_example_knows_no_other_key_than_the_model() -> None:
    tables = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    shown = {(name, key) for name, table in tables.items() for key in (table[0] if isinstance(table, list) else table)}
    assert shown <= {path for path, _ in keys(Settings)}


def test_the_readme_has_every_key_with_its_default_and_meaning() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    readme = text.partition("## Configuration\n")[2].partition("\n## ")[0].splitlines()
    rows = []
    for path, field in keys(Settings):
        default = "required" if field.is_required() else shown(field.default)
        rows.append(f"| `{'.'.join(path)}` | {default} | {field.description} |")
    assert [line for line in readme if re.match(r"\| `[a-z_]+\.[a-z_]+` \|", line)] == rows


def shown(default: object) -> str:
    return "" if default in (None, (), "") else f"`{str(default).lower()}`"


def test_every_key_has_a_meaning() -> None:
    assert not [path for path, field in keys(Settings) if not field.description]


def test_later_sources_win(tmp_path: Path) -> None:
    file = written(tmp_path, '[chain]\nid = 1\nrpc = ["http://toml"]\ntimeout = 1\nbatch = 1\nin_flight = 1')
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for key in ("timeout", "batch", "in_flight"):
        (secrets / f"keeper_chain__{key}").write_text("2\n", encoding="utf-8")
    environ = {"KEEPER_CHAIN__BATCH": "3", "KEEPER_CHAIN__IN_FLIGHT": "3"}
    chain = load(file, [("chain.in_flight", "4")], environ, secrets).chain
    assert (chain.id, chain.timeout, chain.batch, chain.in_flight) == (1, 2.0, 3, 4)


def test_secret_files_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "database_password").write_text("x", encoding="utf-8")
    (tmp_path / "keeper_ops__alerts").write_text("json://one\njson://two\n", encoding="utf-8")
    alerts = load(environ=LEAST, secrets=tmp_path).ops.alerts
    assert [alert.get_secret_value() for alert in alerts] == ["json://one", "json://two"]


def test_places_in_lists_can_be_set_and_added() -> None:
    environ = LEAST | {
        "KEEPER_MARKETS__0__PROTOCOL": "aave_v3",
        "KEEPER_MARKETS__0__ADDRESS": MARKET.upper().replace("0X", "0x"),
        "KEEPER_MARKETS__0__FROM_BLOCK": "5",
        "KEEPER_MARKETS__1__PROTOCOL": "aave_v3",
        "KEEPER_MARKETS__1__ADDRESS": MARKET,
        "KEEPER_MARKETS__1__FROM_BLOCK": "6",
    }
    markets = load(flags=[("markets.1.from_block", "7")], environ=environ).markets
    assert [(market.address, market.from_block) for market in markets] == [(MARKET, 5), (MARKET, 7)]


def test_a_place_of_the_file_can_be_changed_from_outside() -> None:
    settings = load(EXAMPLE, environ={"KEEPER_MARKETS__0__FROM_BLOCK": "7"})
    assert (settings.markets[0].from_block, settings.markets[0].address) == (7, MARKET)


@pytest.mark.parametrize(
    "text", ["http://a,http://b", "http://a, http://b", "http://a\nhttp://b\n", '["http://a", "http://b"]']
)
def test_lists_from_outside(text: str) -> None:
    assert load(environ=LEAST | {"KEEPER_CHAIN__RPC": text}).chain.rpc == ("http://a", "http://b")


def test_tables_from_outside_as_json() -> None:
    markets = [{"protocol": "aave_v3", "address": MARKET, "from_block": 1}]
    assert load(environ=LEAST | {"KEEPER_MARKETS": json.dumps(markets)}).markets[0].from_block == 1


def test_the_file_and_the_secrets_can_be_named_by_variables(tmp_path: Path) -> None:
    (tmp_path / "keeper_chain__id").write_text("9", encoding="utf-8")
    environ = {"KEEPER_CONFIG": str(EXAMPLE), "KEEPER_SECRETS": str(tmp_path)}
    assert load(environ=environ).chain.id == 9


def test_settings_are_frozen() -> None:
    settings = load(EXAMPLE, environ={})
    with pytest.raises(ValueError, match="frozen"):
        settings.chain.id = 5  # type: ignore[misc]
    assert hash(settings.markets) == hash(load(EXAMPLE, environ={}).markets)


@given(st.integers(0, 10**30), st.sampled_from([("wei", 0), ("gwei", 9), ("ether", 18)]))
def test_amounts_are_exact_in_every_unit(wei: int, unit: tuple[str, int]) -> None:
    name, decimals = unit
    digits = str(wei).zfill(decimals + 1)
    number = f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits
    for text in (f"{number} {name}", str(wei)):
        assert load(environ=LEAST | {"KEEPER_POLICY__MIN_PROFIT": text}).policy.min_profit == wei


@pytest.mark.parametrize(
    "text", ["0.5", "1e18", "1 eth", "1ether", "-1", "-1 ether", "nan ether", "1/2 ether", "0.1 wei", ""]
)
def test_an_amount_that_is_not_plain_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"policy\.min_profit"):
        load(environ=LEAST | {"KEEPER_POLICY__MIN_PROFIT": text})


@given(st.integers(min_value=0, max_value=2**160 - 1), st.data())
def test_one_wrong_letter_case_in_a_checksummed_address_is_found(number: int, data: st.DataObject) -> None:
    right = to_checksum_address(f"0x{number:040x}")
    letters = [at for at, char in enumerate(right) if at > 1 and char.isalpha()]
    uniform = len({right[at].isupper() for at in letters}) < 2
    if len(letters) < 3 or uniform or number == 0:
        return
    at = data.draw(st.sampled_from(letters))
    wrong = right[:at] + right[at].swapcase() + right[at + 1 :]
    assert load(environ=LEAST | {"KEEPER_RISK__SEQUENCER": right}).risk.sequencer == right.lower()
    if len({wrong[one].isupper() for one in letters}) == 2:
        with pytest.raises(ConfigError, match="checksum"):
            load(environ=LEAST | {"KEEPER_RISK__SEQUENCER": wrong})


def test_a_secret_by_name_of_its_variable_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIQUIDATOR_KEY", "from-the-variable")
    (tmp_path / "key").write_text("from-the-file\n", encoding="utf-8")
    assert read_secret(env="LIQUIDATOR_KEY") == "from-the-variable"
    assert read_secret(file=tmp_path / "key") == "from-the-file"
    assert redact.redact_text("from-the-variable from-the-file") == "*** ***"
    with pytest.raises(ConfigError, match="NOT_SET_ANYWHERE"):
        read_secret(env="NOT_SET_ANYWHERE")
    with pytest.raises(ConfigError, match="none: cannot be read"):
        read_secret(file=tmp_path / "none")


def test_without_a_signer_nothing_is_signed() -> None:
    assert not load(environ=LEAST).signer.configured
    assert load(environ=LEAST | {"KEEPER_SIGNER__ENV": "NAME"}).signer.configured
