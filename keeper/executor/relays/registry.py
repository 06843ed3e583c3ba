"""Which kinds of channel exist, and how a configuration becomes channels.

Law: one line a kind. Everything wrong with the configuration is said at once. Nothing here has a default address, the
public kind needs ``allow_public``, and the identity is never a key that holds funds.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from yarl import URL

from keeper.core.units import Address
from keeper.errors import ConfigError
from keeper.executor.relays.bloxroute import Bloxroute
from keeper.executor.relays.buildernet import BuilderNet
from keeper.executor.relays.call import Dialect
from keeper.executor.relays.channel import HttpChannel
from keeper.executor.relays.flashbots import Flashbots
from keeper.executor.relays.fork import Fork
from keeper.executor.relays.identity import Identity
from keeper.executor.relays.public import Public
from keeper.executor.relays.raw_sequencer import RawSequencer
from keeper.executor.relays.titan import Titan
from keeper.executor.relays.transport import Transport


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """One ``[[relays]]`` entry."""

    kind: str
    url: str = field(repr=False)  # its path may be a credential
    name: str = ""  # the kind, unless two of a kind are told apart
    builders: tuple[str, ...] = ()
    authorization: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        return self.name or self.kind


@dataclass(frozen=True, slots=True)
class Kind:
    """How a dialect is made and which options mean something to it."""

    make: Callable[[RelayConfig], Dialect]
    options: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    paid: bool = False  # a transaction that fails is included all the same, and pays for it


BUILDERS: Final = frozenset({"builders"})
ACCOUNT: Final = frozenset({"authorization"})
KINDS: Final[Mapping[str, Kind]] = {
    "flashbots": Kind(lambda config: Flashbots(config.builders), BUILDERS),
    "buildernet": Kind(lambda _: BuilderNet()),
    "titan": Kind(lambda _: Titan()),
    "bloxroute": Kind(lambda config: Bloxroute(config.authorization, config.builders), BUILDERS | ACCOUNT, ACCOUNT),
    "raw_sequencer": Kind(lambda _: RawSequencer(), paid=True),
    "fork": Kind(lambda _: Fork()),
    "public": Kind(lambda _: Public(), paid=True),
}


def channels(
    configs: Sequence[RelayConfig],
    transport: Transport,
    identity: Identity,
    funds: Collection[Address],
    *,
    allow_public: bool,
) -> tuple[HttpChannel, ...]:
    """The configured channels, or one ``ConfigError`` with everything that is wrong with them."""
    problems = [line for config in configs for line in _problems(config, allow_public=allow_public)]
    names = [config.shown for config in configs]
    problems += [f"relays: two are named {name}" for name in sorted({n for n in names if names.count(n) > 1})]
    if identity.address in funds:
        problems.append("relays: the identity's key holds funds; give relays a key of their own")
    if problems:
        raise ConfigError(*problems)
    return tuple(
        HttpChannel(config.shown, config.url, KINDS[config.kind].make(config), transport, identity)
        for config in configs
    )


def failures_cost(configs: Iterable[RelayConfig]) -> bool:
    """Whether a transaction that fails may be included, and paid for."""
    return any(config.kind in KINDS and KINDS[config.kind].paid for config in configs)


def _problems(config: RelayConfig, *, allow_public: bool) -> list[str]:
    kind = KINDS.get(config.kind)
    if kind is None:
        return [f"relays: unknown kind {config.kind!r}; known: {', '.join(KINDS)}"]
    given = {option for option in ("builders", "authorization") if getattr(config, option)}
    problems = [f"relays: {option} means nothing to {config.shown}" for option in sorted(given - kind.options)]
    problems += [f"relays: {config.shown} needs {option}" for option in sorted(kind.required - given)]
    if config.kind == "public" and not allow_public:
        problems.append("relays: a public channel shows every liquidation to everyone; it needs allow_public = true")
    if not _is_http(config.url):
        problems.append(f"relays: the url of {config.shown} is not an http(s) address")
    return problems


def _is_http(url: str) -> bool:
    try:
        parsed = URL(url)
    except ValueError:
        return False
    return parsed.scheme in {"http", "https"} and bool(parsed.host)
