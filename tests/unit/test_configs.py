"""What is shipped in config/: one file a chain, a dashboard, alert rules and a service, held to what they speak of."""

import configparser
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # comes with apprise
from eth_hash.auto import keccak
from eth_utils.address import is_checksum_address

from keeper.contracts.encode import MAX_FACTORIES
from keeper.devnet.packages import UNISWAP_V2_CORE, UNISWAP_V3_CORE, Package, package_dir
from keeper.errors import ConfigError, Exit
from keeper.executor.relays.identity import Identity
from keeper.executor.relays.registry import RelayConfig, channels
from keeper.executor.relays.transport import Transport
from keeper.ops.census import BANDS, UNKNOWN
from keeper.ops.metrics import COUNTER_TABLES, COUNTERS, GAUGE_TABLES, GAUGES, STEPS, Metrics
from keeper.ops.ready import Hurdle
from keeper.ops.values import Outcome
from keeper.registry import PROTOCOLS
from keeper.settings import Settings, load
from keeper.venues.registry import VENUES
from tests.unit.ops_world import healthy

CONFIG = Path(__file__).parents[2] / "config"
CHAINS = {
    "ethereum": (1, "Ethereum", "WETH"),
    "arbitrum": (42161, "Arbitrum", "WETH"),
    "base": (8453, "Base", "WETH"),
    "optimism": (10, "Optimism", "WETH"),
    "polygon": (137, "Polygon", "WPOL"),
    "avalanche": (43114, "Avalanche", "WAVAX"),
    "bnb": (56, "BNB", "WBNB"),
}
ROLLUPS = {"arbitrum", "base", "optimism"}
ENVIRON = {"KEEPER_CHAIN__RPC": "https://node.example/v2"}
ADDRESS_BOOK = Package(
    "@aave-dao/aave-address-book",
    "4.68.1",
    "sha512-Tw1j/0OGN90m6cpaiNwpizxkBq4XzVgJqhz/fWdq9wF7yc2MAghVrsRWrCICBUiG+P7GKYd84mwULH0XVW3QTA==",
)
SDK_CORE = Package(
    "@uniswap/sdk-core",
    "7.19.4",
    "sha512-jV9qVMMD6qvEATgfFnZ3QgrhIMv5lullzeGPWjyC4+sUctatft+1M+OtAZxxjbFm8NQfJA73hqIeFPOg4cUyoA==",
)
# The block in which the pool was deployed, after its addresses provider; as in the subgraphs of two publishers.
POOL_BLOCKS = {
    "ethereum": 16291127,
    "arbitrum": 7742429,
    "base": 2357134,
    "optimism": 4365693,
    "polygon": 25826028,
    "avalanche": 11970506,
    "bnb": 33571625,
}

every_chain = pytest.mark.parametrize("name", CHAINS)


def settings(name: str) -> Settings:
    return load(CONFIG / f"{name}.toml", environ=ENVIRON)


def text(file: str) -> str:
    return (CONFIG / file).read_text(encoding="utf-8")


# --- chains -------------------------------------------------------------------------------------------------------


def test_there_is_a_file_for_every_chain_and_none_besides() -> None:
    found = {file.stem for file in CONFIG.glob("*.toml")}
    assert found == {*CHAINS, "example", "demo"}


@every_chain
def test_a_file_is_complete_but_for_the_endpoints(name: str) -> None:
    with pytest.raises(ConfigError) as lacking:
        load(CONFIG / f"{name}.toml", environ={})
    (problem,) = lacking.value.problems
    assert "chain.rpc" in problem
    found = settings(name)
    assert found.chain.id == CHAINS[name][0]
    assert found.chain.wrapped_native is not None
    assert found.store.path == Path(f"keeper-{name}.sqlite")
    assert not found.signer.configured
    assert found.executor.address is None


@every_chain
def test_it_names_only_what_keeper_knows(name: str) -> None:
    found = settings(name)
    assert [market.protocol for market in found.markets] == ["aave_v3"]
    assert {market.protocol for market in found.markets} <= PROTOCOLS.keys()
    assert {venue.kind for venue in found.venues} == VENUES.keys()
    assert len(found.venues) <= MAX_FACTORIES
    assert found.markets[0].from_block < POOL_BLOCKS[name] < found.markets[0].from_block + 6_000


@every_chain
async def test_its_relays_can_be_built_and_none_is_public(name: str) -> None:
    found = settings(name)
    configs = [RelayConfig(relay.kind, relay.url, relay.name, relay.builders) for relay in found.relays]
    async with Transport() as transport:
        identity = Identity(bytes(31) + b"\x01")
        built = channels(configs, transport, identity, (), allow_public=found.policy.allow_public)
    assert not found.policy.allow_public
    assert len(built) == {"ethereum": 4, "arbitrum": 1, "base": 1, "optimism": 1}.get(name, 0)
    assert all(relay.url.startswith("https://") for relay in found.relays)


@every_chain
def test_a_rollup_has_the_feed_of_its_sequencer_and_nobody_else_has(name: str) -> None:
    assert (settings(name).risk.sequencer is not None) is (name in ROLLUPS)


@every_chain
def test_limits_are_in_order(name: str) -> None:
    found = settings(name)
    risk, policy = found.risk, found.policy
    assert 0 < policy.min_profit < risk.loss_per_asset_day <= risk.loss_per_hour <= risk.loss_per_day
    assert risk.min_balance <= risk.loss_per_hour
    assert risk.kill_switch is not None
    assert (policy.bid_high == 0) is (name != "ethereum")


@every_chain
def test_every_address_is_checksummed_so_that_a_slip_is_seen(name: str) -> None:
    addresses = re.findall(r'"(0x[0-9a-fA-F]{40})"', text(f"{name}.toml"))
    assert len(addresses) == 4 + (name in ROLLUPS)
    assert all(is_checksum_address(address) for address in addresses)


@every_chain
def test_comments_are_of_chains_that_are_not_copied_from_another(name: str) -> None:
    others = {title for other, (_, title, _) in CHAINS.items() if other != name}
    head = text(f"{name}.toml").splitlines()[0]
    assert not [title for title in others if re.search(rf"\b{title}\b", head)]


def test_pools_are_made_of_the_code_that_the_venues_speak_of() -> None:
    v2 = json.loads((package_dir(UNISWAP_V2_CORE) / "build/UniswapV2Pair.json").read_text(encoding="utf-8"))
    v3_file = package_dir(UNISWAP_V3_CORE) / "artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json"
    v3 = json.loads(v3_file.read_text(encoding="utf-8"))
    codes = {"uniswap_v2": v2["bytecode"], "uniswap_v3": v3["bytecode"]}
    hashes = {kind: "0x" + keccak(bytes.fromhex(code.removeprefix("0x"))).hex() for kind, code in codes.items()}
    for name in CHAINS:
        assert {venue.kind: venue.init_code_hash for venue in settings(name).venues} == hashes


@pytest.mark.slow
@every_chain
def test_addresses_are_those_of_the_address_book(name: str) -> None:
    chain_id, title, wrapped = CHAINS[name]
    market = exported(package_dir(ADDRESS_BOOK) / f"dist/AaveV3{title}.js", "m.CHAIN_ID", "m.POOL_ADDRESSES_PROVIDER")
    feeds = exported(package_dir(ADDRESS_BOOK) / f"dist/Chainlink{title}.js", "m.L2_Sequencer_Uptime_Status_Feed")
    tokens = exported(package_dir(ADDRESS_BOOK) / f"dist/AaveV3{title}.js", f"m.ASSETS.{wrapped}.UNDERLYING")
    found = settings(name)
    assert market == [chain_id, found.markets[0].address]
    assert tokens == [found.chain.wrapped_native]
    assert feeds == [found.risk.sequencer]


@pytest.mark.slow
@every_chain
def test_factories_are_those_of_uniswap(name: str) -> None:
    chain_id = CHAINS[name][0]
    file = package_dir(SDK_CORE) / "dist/cjs/src/addresses.js"
    third = f"m.CHAIN_TO_ADDRESSES_MAP[{chain_id}].v3CoreFactoryAddress"
    v3, v2 = exported(file, third, f"m.V2_FACTORY_ADDRESSES[{chain_id}]")
    assert {venue.kind: venue.address for venue in settings(name).venues} == {"uniswap_v3": v3, "uniswap_v2": v2}


def exported(file: Path, *expressions: str) -> list[Any]:
    """What a package says, asked of node; addresses in lower case."""
    code = f"const m = require({json.dumps(str(file))}); console.log(JSON.stringify([{', '.join(expressions)}]))"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    return [value.lower() if isinstance(value, str) else value for value in json.loads(done.stdout)]


# --- metrics ------------------------------------------------------------------------------------------------------

LABELS: Mapping[str, tuple[str, ...]] = {
    **{one.name: () for one in (*GAUGES, *COUNTERS)},
    **{many.name: many.labels for many in (*GAUGE_TABLES, *COUNTER_TABLES)},
    **{STEPS + suffix: ("step", "le") for suffix in ("_bucket", "_sum", "_count")},
}
VALUES = {
    "outcome": {outcome.value for outcome in Outcome},
    "hurdle": {hurdle.value for hurdle in Hurdle},
    "health": {*BANDS, UNKNOWN},
}
FROM_PROMETHEUS = {"instance", "job"}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(text("alerts.yml"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def queries() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    for panel in json.loads(text("grafana.json"))["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def test_every_metric_asked_for_is_served() -> None:
    scraped = Metrics(healthy()).scrape().decode()
    served = set(re.findall(r"^# TYPE (\w+)", scraped, re.MULTILINE)) | LABELS.keys()
    asked = {name for query in queries() for name in re.findall(r"\b(?:keeper|process)_\w+", query)}
    assert asked <= served
    assert len(asked) > 30


def test_every_label_asked_for_is_there_with_values_that_exist() -> None:
    for query in queries():
        for name, braces in re.findall(r"\b(keeper_\w+)\{([^}]*)\}", query):
            for label, sign, value in re.findall(r'(\w+)(=~|!~|=|!=)"([^"]*)"', braces):
                assert label in {*LABELS[name], *FROM_PROMETHEUS}, query
                if label in VALUES:
                    assert set(value.split("|")) <= VALUES[label], (sign, query)
        for labels in re.findall(r"\bby \(([^)]*)\)", query):
            grouped = {label.strip() for label in labels.split(",")} - FROM_PROMETHEUS
            names = re.findall(r"\bkeeper_\w+", query)
            assert all(grouped <= set(LABELS[name]) for name in names), query


def test_every_metric_of_keeper_is_on_the_dashboard_or_in_a_rule_or_says_why_not() -> None:
    asked = {name for query in queries() for name in re.findall(r"\bkeeper_\w+", query)}
    unasked = {
        "keeper_info",  # the dashboard's list of instances
        "keeper_start_time_seconds",
        "keeper_tip_timestamp_seconds",
        "keeper_caught_up",  # part of keeper_ready
        "keeper_feeds",
        "keeper_clock_jumps_total",
        "keeper_alerts_sent_total",
        STEPS + "_sum",
        STEPS + "_count",
    }
    assert LABELS.keys() - asked == unasked


def test_rules_say_what_is_wrong_and_how_bad() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        annotations = rule["annotations"]
        assert annotations["summary"]
        for label in re.findall(r"\$labels\.(\w+)", annotations["summary"]):
            metrics = re.findall(r"\bkeeper_\w+", rule["expr"])
            assert any(label in LABELS[name] for name in metrics), rule["alert"]
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_panels_lie_side_by_side() -> None:
    board = json.loads(text("grafana.json"))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", text("grafana.json"))) - {"__rate_interval"} == variables


# --- the service --------------------------------------------------------------------------------------------------


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text("keeper.service"))
    return parser


def test_the_service_stops_and_reloads_by_the_signals_that_keeper_knows() -> None:
    service = unit()["Service"]
    assert service["ExecStart"] == "/opt/keeper/bin/keeper run --config /etc/keeper/keeper.toml"
    assert (service["KillSignal"], service["ExecReload"]) == ("SIGTERM", "/bin/kill -HUP $MAINPID")
    assert service["User"] != "root"
    final = {Exit.USAGE, Exit.WRONG_CHAIN, Exit.STATE_CORRUPT}
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == final


def test_the_service_hands_secrets_over_as_keeper_reads_them(tmp_path: Path) -> None:
    assert unit()["Service"]["LoadCredential"] == "keeper:/etc/keeper/secrets"
    (tmp_path / "keeper_chain__rpc").write_text("https://node.example/v2\n", encoding="utf-8")  # as systemd names it
    found = load(CONFIG / "base.toml", environ={"KEEPER_SECRETS": str(tmp_path)})
    assert found.chain.rpc == (ENVIRON["KEEPER_CHAIN__RPC"],)


def test_the_service_is_one_that_systemd_takes(tmp_path: Path) -> None:
    written = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", text("keeper.service"), flags=re.MULTILINE)
    (tmp_path / "keeper.service").write_text(written, encoding="utf-8")
    assert {section.lower() for section in unit().sections()} == {"unit", "service", "install"}
    if shutil.which("systemd-analyze") is not None:
        command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "keeper.service")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
