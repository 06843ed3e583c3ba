"""The configuration: what can be set, what it means, and what is allowed.

Law: the only reader of the environment. Values are frozen and complete: nothing downstream knows defaults. Unknown
keys are errors, and all errors are told at once, each with its key, value, origin and what is allowed. A secret is
never read from TOML: TOML is copied, committed and shown.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from keeper import sources
from keeper.core.units import BlockNumber, Bps, Wei
from keeper.errors import ConfigError
from keeper.redact import hide
from keeper.setting_errors import explain, hide_secrets, misplaced
from keeper.setting_types import (
    AFile,
    AHash,
    AnAddress,
    AName,
    AnAmount,
    AVariable,
    Count,
    HttpUrl,
    Items,
    Seconds,
    Share,
    SocketUrl,
    SomeHours,
)
from keeper.sources import FROM_FOLDER, Given, Part, Tree, dotted

DOCKER_SECRETS: Final = Path("/run/secrets")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Chain(_Section):
    """Which chain, and who is asked about it."""

    id: Count = Field(description="chain id; every endpoint must answer with it")
    rpc: Annotated[tuple[HttpUrl, ...], Items] = Field(min_length=1, description="http(s) endpoints, best first")
    ws: Annotated[tuple[SocketUrl, ...], Items] = Field((), description="ws(s) endpoints for new heads; none: polling")
    block_time: Count = Field(12, description="seconds from one block's timestamp to the next")
    wrapped_native: AnAddress | None = Field(None, description="the wrapped native token; needed to plan and to send")
    fee_elasticity: Count = Field(2, description="a block's gas limit as a multiple of its target: EIP-1559")
    fee_denominator: Count = Field(8, description="a full block raises the base fee by 1 / this at most")
    fee_in_header: bool = Field(default=False, description="headers say both, as OP-stack chains do since Holocene")
    timeout: Seconds = Field(5.0, description="seconds for one call")
    long_timeout: Seconds = Field(20.0, description="seconds for the logs of a range, which nodes answer slowly")
    stall: Annotated[float, Field(ge=0)] | None = Field(
        None, description="seconds without a new block that mean a frozen endpoint; 0: none; default: 8 blocks, or 30"
    )
    in_flight: Count = Field(32, description="requests under way at once, per endpoint")
    batch: Count = Field(100, description="calls in one request, until an endpoint says less")


class Market(_Section):
    """One market to watch."""

    protocol: AName = Field(description="which protocol, such as aave_v3")
    address: AnAddress = Field(description="its entry point; Aave v3: the PoolAddressesProvider")
    from_block: Annotated[BlockNumber, Field(ge=0)] = Field(description="the block it was deployed in, or any before")


class Pending(_Section):
    """Prices that are not on chain yet. Nothing set: the chain's own prices only."""

    mempool: bool = Field(default=False, description="read price reports in pending transactions, from chain.ws")
    hints: Annotated[tuple[HttpUrl, ...], Items] = Field((), description="event streams of order-flow auctions to read")

    @property
    def wanted(self) -> bool:
        return self.mempool or bool(self.hints)


class Venue(_Section):
    """One place to swap."""

    kind: AName = Field(description="which venue, such as uniswap_v3")
    address: AnAddress = Field(description="its entry point; Uniswap: the factory")
    init_code_hash: AHash | None = Field(None, description="hash of the code its pools are made of; needed to send")


class Lender(_Section):
    """One vault that lends for the length of a transaction, beside the markets themselves."""

    kind: Literal["balancer_v2", "morpho_blue"] = Field(description="which vault")
    address: AnAddress = Field(description="the vault")


class Quoter(_Section):
    """One service that may know better than the pools what a sale brings. What it says is simulated, never believed."""

    dialect: Literal["0x", "1inch"] = Field(description="the shape of its answers")
    url: HttpUrl = Field(description="its address, with {sold} {bought} {amount} {taker} in it")
    name: str = Field("", description="how logs call it; the dialect when empty")
    routers: Annotated[tuple[AnAddress, ...], Items] = Field(min_length=1, description="what its calldata may be for")
    header: str = Field("Authorization", min_length=1, description="the header its key goes into")
    key: SecretStr | None = Field(None, description="its key; outside of TOML")


class Executor(_Section):
    """The contract that liquidates."""

    address: AnAddress | None = Field(None, description="the deployed executor; needed to send")
    profit_recipient: AnAddress | None = Field(None, description="where profit is swept to; needed to deploy")


class Signer(_Section):
    """Who signs. Nothing set: keeper watches and sends nothing."""

    keystore: AFile | None = Field(None, description="an encrypted keystore file (web3 secret storage)")
    password_file: AFile | None = Field(None, description="a file with the keystore's password")
    env: AVariable | None = Field(None, description="the NAME of a variable that holds the private key")
    url: HttpUrl | None = Field(None, description="a remote signer that speaks eth_signTransaction, as web3signer does")
    address: AnAddress | None = Field(None, description="the account that must come out; required with url")
    identity_env: AVariable | None = Field(None, description="the NAME of a variable with the relay identity's key")
    identity_file: AFile | None = Field(None, description="a file with the key that relays know us by; holds no funds")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.keystore, self.env, self.url)) > 1:
            raise ValueError("only one of keystore, env and url")
        if (self.keystore is None) != (self.password_file is None):
            raise ValueError("keystore and password_file belong together")
        if self.url is not None and self.address is None:
            raise ValueError("url needs address")
        if self.identity_env is not None and self.identity_file is not None:
            raise ValueError("only one of identity_env and identity_file")
        return self

    @property
    def configured(self) -> bool:
        return any((self.keystore, self.env, self.url))


class Relay(_Section):
    """One channel that liquidations are sent through."""

    kind: Literal["flashbots", "buildernet", "titan", "bloxroute", "raw_sequencer", "fork", "public"] = Field(
        description="the dialect it speaks"
    )
    url: HttpUrl = Field(description="its address; one with a key in it is given outside of TOML")
    name: str = Field("", description="how logs call it, when two are of one kind; the kind when empty")
    builders: Annotated[tuple[str, ...], Items] = Field(
        (), description="builders it passes bundles on to, by its names"
    )
    authorization: SecretStr | None = Field(None, description="the Authorization header it asks for; outside of TOML")


class Policy(_Section):
    """What is worth doing, and how much of it is paid away."""

    allow_public: bool = Field(default=False, description="permit relays of kind public, which everyone can read")
    min_profit: AnAmount = Field(Wei(0), description="least net profit of a transaction")
    min_profit_share: Share = Field(Bps(0), description="the same as a share of what is repaid, basis points")
    max_base_fee: AnAmount | None = Field(None, description="with a higher base fee nothing is sent")
    own_balance: bool = Field(default=False, description="repay from what the executor holds, where that is cheapest")
    slippage: Share = Field(Bps(50), description="what a swap may bring less than it should, basis points")
    bid_with: Literal["share", "tip"] = Field(
        "share", description="bid a share of profit, or a priority fee where blocks are ordered by it"
    )
    bidders: Annotated[int, Field(ge=0)] = Field(
        0, description="bid as in a first-price auction of so many, ourselves included; 0: as learned"
    )
    deterrence: Share = Field(Bps(0), description="never bid less than this share of the value, basis points")
    bid_floor: AnAmount = Field(Wei(0), description="least bid that is worth a builder's while")
    bid_start: Share = Field(Bps(5_000), description="share of profit bid at first, basis points")
    bid_low: Share = Field(Bps(1_000), description="the learned share never falls below this")
    bid_high: Share = Field(Bps(9_500), description="the learned share never rises above this")
    tip: AnAmount = Field(Wei(1), description="priority fee per gas; some channels share nothing without one")
    window: Count = Field(3, description="blocks that a plan may land in, the next one included")
    patience: Annotated[int, Field(ge=0, le=32)] = Field(
        8, description="auctions of an asset that others must have ended before one is waited for; 0: never wait"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.bid_low <= self.bid_start <= self.bid_high:
            said = f"bid_low {self.bid_low} <= bid_start {self.bid_start} <= bid_high {self.bid_high}"
            raise ValueError(f"{said} does not hold")
        return self


class Risk(_Section):
    """What is refused, and when sending stops."""

    deny_tokens: Annotated[tuple[AnAddress, ...], Items] = Field((), description="tokens never taken nor repaid")
    loss_per_hour: AnAmount = Field(Wei(10**17), description="most that may be lost in an hour before sending stops")
    loss_per_day: AnAmount = Field(Wei(3 * 10**17), description="the same in a day")
    loss_per_asset_day: AnAmount = Field(Wei(10**17), description="the same in a day with one asset")
    divergence: Share = Field(Bps(300), description="most a protocol's price may differ from the venues', basis points")
    twap: Annotated[int, Field(ge=0)] = Field(
        0, description="seconds over which the venues' price is a mean; 0: their price now"
    )
    manipulation: Annotated[Bps, Field(ge=1, lt=10_000)] | None = Field(
        None, description="a move of the venues' price, basis points, that must cost more than the profit at stake"
    )
    haircut: Annotated[int, Field(ge=0)] = Field(
        0, description="standard deviations of price risk that profit must cover besides; 0: none"
    )
    hold: Annotated[int, Field(ge=0)] = Field(12, description="seconds of that risk")
    volatility: Annotated[Bps, Field(ge=0)] = Field(Bps(8_000), description="of prices in a year, basis points")
    heartbeat: Count = Field(86_400, description="seconds within which every feed promises an update")
    oracle_grace: Annotated[int, Field(ge=0)] = Field(60, description="seconds a feed may exceed its heartbeat")
    sequencer: AnAddress | None = Field(None, description="the rollup's sequencer uptime feed")
    sequencer_grace: Annotated[int, Field(ge=0)] = Field(3_600, description="seconds to wait once it is up again")
    transfer_loss: Share = Field(
        Bps(10), description="what a token may lose on its way out of a pool and back, basis points"
    )
    min_balance: AnAmount = Field(Wei(5 * 10**16), description="a signer with less is reported as nearly empty")
    kill_switch: AFile | None = Field(None, description="while this file exists nothing is sent; watching goes on")


class Store(_Section):
    """Where state lives."""

    path: AFile = Field(Path("keeper.sqlite"), description="the state file")
    undo_blocks: Annotated[int, Field(ge=64)] = Field(128, description="blocks whose changes can be undone")


class Ops(_Section):
    """What an operator sees."""

    host: str = Field("127.0.0.1", min_length=1, description="where health and metrics are served")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(9_464, description="its port; 0: any free one")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    alerts: Annotated[tuple[SecretStr, ...], Items] = Field((), description="apprise URLs to alert; outside of TOML")
    alert_level: Literal["info", "warning", "critical"] = Field("warning", description="least severity that is alerted")
    alert_repeat: Count = Field(3_600, description="seconds before an alert that lasts is sent again")
    quiet_hours: SomeHours | None = Field(
        None, description="hours (UTC) in which only critical alerts are sent; the rest follows"
    )
    digest: Annotated[int, Field(ge=0)] = Field(
        86_400, description="seconds between messages that say how keeper is; 0: none"
    )
    audit_every: Annotated[int, Field(ge=0)] = Field(100, description="blocks between audits of a sample; 0: none")
    audit_sample: Count = Field(20, description="accounts in that sample")


class Settings(BaseSettings):
    """Everything an operator decides."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    chain: Chain
    markets: Annotated[tuple[Market, ...], Items] = Field((), description="markets to watch")
    venues: Annotated[tuple[Venue, ...], Items] = Field((), description="places to swap")
    lenders: Annotated[tuple[Lender, ...], Items] = Field((), description="vaults to borrow from")
    quoters: Annotated[tuple[Quoter, ...], Items] = Field((), description="services asked beside the pools")
    executor: Executor = Executor()
    signer: Signer = Signer()
    relays: Annotated[tuple[Relay, ...], Items] = Field((), description="channels to send through")
    pending: Pending = Pending()
    policy: Policy = Policy()
    risk: Risk = Risk()
    store: Store = Store()
    ops: Ops = Ops()
    _tree: Tree = PrivateAttr(default_factory=Tree)

    def place(self, *path: Part) -> str:
        """A key with the file and line, variable or flag it comes from, for whoever complains about its value."""
        origin = self._tree.origin(path)
        return f"{origin}: {dotted(path)}" if origin else dotted(path)

    def secret_files(self) -> tuple[Path, ...]:
        """Files of the secrets folder that a value was taken from."""
        found = {origin for origin in self._tree.origins.values() if origin.startswith(FROM_FOLDER)}
        return tuple(Path(origin.removeprefix(FROM_FOLDER)) for origin in sorted(found))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the hook's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """``load`` merges the sources itself, because it remembers where each value came from."""
        return (init_settings,)


def load(
    config: Path | None = None,
    flags: Sequence[tuple[str, str]] = (),
    environ: Mapping[str, str] | None = None,
    secrets: Path | None = None,
) -> Settings:
    """The configuration from file, secret files, environment and flags, or a ``ConfigError`` with all that is wrong."""
    env = os.environ if environ is None else environ
    file = config or (Path(env["KEEPER_CONFIG"]) if "KEEPER_CONFIG" in env else None)
    folder = secrets or (Path(env["KEEPER_SECRETS"]) if "KEEPER_SECRETS" in env else None)
    if folder is None and DOCKER_SECRETS.is_dir():
        folder = DOCKER_SECRETS
    tree = sources.from_toml(file) if file else Tree()
    told = misplaced(tree, Settings)
    given = [
        *(sources.from_secrets(folder) if folder else ()),
        *sources.from_environment(env),
        *sources.from_flags(flags),
    ]
    problems = [*told.values(), *_merge(tree, given)]
    tree.values.setdefault("chain", {})
    try:
        settings = Settings(**tree.values)
    except ValidationError as error:
        problems += explain(error, tree, Settings, told)
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
    hide_secrets(settings)
    settings._tree = tree  # noqa: SLF001 - its own class, one level up
    return settings


def read_secret(*, env: str | None = None, file: Path | None = None) -> str:
    """A secret by the name of its variable or file; masked in logs from now on."""
    if file is not None:
        try:
            secret = sources.read(file)
        except OSError as error:
            raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    else:
        secret = os.environ.get(env or "", "")
    if not secret:
        raise ConfigError(f"{file or f'environment {env}'}: is empty or not set; a secret is expected there")
    hide(secret)
    return secret


def _merge(tree: Tree, given: Sequence[Given]) -> list[str]:
    problems: list[str] = []
    for one in given:
        try:
            tree.put(one)
        except ConfigError as error:
            problems += error.problems
    return problems
