"""A Maker-like market on a world's tokens: the fixture of ``contracts/maker``, put together as on mainnet.

Law: everything can be found from the chainlog. Prices are given by ``Value`` contracts and are an hour late, behind an
OSM each. The contracts are fixtures written for keeper; they are not the deployed ones.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from keeper.core.units import MAX_U256, RAD, RAY, WAD, Address
from keeper.devnet.abi import Abi
from keeper.devnet.contract import Artifact, Contract, Deployer
from keeper.devnet.layout import ADMIN
from keeper.devnet.rpc import Receipt, Tx
from keeper.devnet.stage import Stage
from keeper.devnet.tokens import erc20
from keeper.devnet.vyper import vyper_artifact

SOURCES: Final = Path(__file__).parent / "contracts" / "maker"
Fixture = Callable[[str], Artifact]
_FILED: Final = (  # the overloads and the name that Vyper has no words for
    ("file", ("bytes32", "uint256")),
    ("file", ("bytes32", "address")),
    ("file", ("bytes32", "bytes32", "address")),
    ("init", ("bytes32",)),
)
HOP: Final = 3600  # seconds from one price of an OSM to the next


@dataclass(frozen=True, slots=True)
class IlkSpec:
    """A kind of collateral: its price curve and its risk."""

    name: str
    symbol: str
    curve: str  # file name of the calculator
    parameters: tuple[tuple[str, int], ...]
    price: int  # wad of dollars
    mat: int = 145 * RAY // 100
    chop: int = 113 * WAD // 100
    dust: int = 7_500 * RAD
    hole: int = 10_000_000 * RAD
    duty: int = RAY + 627_937_192_491_029_810  # 2 % a year
    buf: int = 13 * RAY // 10
    tail: int = 10_800
    cusp: int = 4 * RAY // 10
    chip: int = WAD // 1000
    tip: int = 250 * RAD


STAIRS: Final = (("cut", 99 * RAY // 100), ("step", 90))
ILKS: Final = (
    IlkSpec("ETH-A", "WETH", "stairstep_decrease", STAIRS, 2_000 * WAD),
    IlkSpec("WBTC-A", "WBTC", "linear_decrease", (("tau", 21_600),), 60_000 * WAD),
    IlkSpec("LINK-A", "LINK", "exponential_decrease", (("cut", RAY - 111_565_000_000_000_000_000_000),), 15 * WAD),
)


@dataclass(frozen=True, slots=True)
class Collateral:
    """The contracts of one kind of collateral."""

    spec: IlkSpec
    ilk: bytes
    join: Contract
    clip: Contract
    calc: Contract
    osm: Contract
    source: Contract


def word(text: str) -> bytes:
    """A name as the protocol writes it."""
    return text.encode().ljust(32, b"\0")


def fixture(name: str) -> Artifact:
    """A contract of the fixture, with the functions that Vyper cannot name in its interface."""
    compiled = vyper_artifact(SOURCES / f"{name}.vy")
    extra = [
        {"type": "function", "name": function, "inputs": [{"type": kind} for kind in kinds], "outputs": []}
        for function, kinds in _FILED
    ]
    return Artifact(compiled.name, Abi([*compiled.abi.items, *extra]), compiled.bytecode, compiled.links)


class Maker:
    """The market, and hands to move it."""

    def __init__(self, stage: Stage, make: Fixture = fixture) -> None:
        self.stage, self._make = stage, make
        self.ilks: dict[str, Collateral] = {}
        deployer = self._deployer = Deployer(stage.rpc, ADMIN)
        self.chainlog = deployer.create(make("chainlog"))
        self.registry = deployer.create(make("ilk_registry"))
        self.vat = deployer.create(make("vat"))
        self.jug = deployer.create(make("jug"), self.vat.address)
        self.spotter = deployer.create(make("spotter"), self.vat.address)
        self.dog = deployer.create(make("dog"), self.vat.address)
        self.vow = deployer.create(make("vow"), self.vat.address)
        self.dai = Contract(stage.rpc, stage.asset("DAI"), erc20())
        self.dai_join = deployer.create(make("dai_join"), self.vat.address, self.dai.address)
        deployer.flush()
        self._wire()
        for spec in ILKS:
            self.add(spec)

    def _wire(self) -> None:
        """Who may do what to whom, and the names."""
        call = self._deployer.call
        for ward in (self.jug, self.spotter, self.dog):
            call(self.vat, "rely", ward.address)
        call(self.vow, "rely", self.dog.address)
        call(self.vat, "suck", ADMIN, self.dai_join.address, 10**11 * RAD)  # backs the dai that the world has anyway
        call(self.vat, "file(bytes32,uint256)", word("Line"), 10**12 * RAD)
        call(self.jug, "file(bytes32,address)", word("vow"), self.vow.address)
        call(self.dog, "file(bytes32,address)", word("vow"), self.vow.address)
        call(self.dog, "file(bytes32,uint256)", word("Hole"), 50_000_000 * RAD)
        names = {
            "MCD_VAT": self.vat, "MCD_JUG": self.jug, "MCD_SPOT": self.spotter, "MCD_DOG": self.dog,
            "MCD_VOW": self.vow, "MCD_JOIN_DAI": self.dai_join, "ILK_REGISTRY": self.registry,
        }  # fmt: skip
        for name, contract in names.items():
            call(self.chainlog, "setAddress", word(name), contract.address)
        self._deployer.flush()

    def add(self, spec: IlkSpec) -> Collateral:
        """Another kind of collateral."""
        deployer, make, ilk = self._deployer, self._make, word(spec.name)
        source = deployer.create(make("value"))
        osm = deployer.create(make("osm"), source.address)
        join = deployer.create(make("gem_join"), self.vat.address, ilk, self.stage.asset(spec.symbol))
        clip, calc = self._house(spec)
        found = self.ilks[spec.name] = Collateral(spec, ilk, join, clip, calc, osm, source)
        deployer.flush()
        self._configure(found)
        self._appoint(found)
        self.hop(spec.name)
        self.set_fee(spec.name, spec.duty)
        return found

    def _house(self, spec: IlkSpec) -> tuple[Contract, Contract]:
        """An auction house and its calculator."""
        create, parts = self._deployer.create, (self.vat.address, self.spotter.address, self.dog.address)
        return create(self._make("clipper"), *parts, word(spec.name)), create(self._make(spec.curve))

    def _configure(self, it: Collateral) -> None:
        """What the vat and its neighbours know of it, and its first price."""
        call, ilk, spec = self._deployer.call, it.ilk, it.spec
        call(self.vat, "rely", it.join.address)
        call(self.vat, "init(bytes32)", ilk)
        call(self.jug, "init(bytes32)", ilk)
        for name, number in (("line", 10**8 * RAD), ("dust", spec.dust)):
            call(self.vat, "file(bytes32,bytes32,uint256)", ilk, word(name), number)
        call(it.osm, "kiss(address)", self.spotter.address)
        call(self.spotter, "file(bytes32,bytes32,address)", ilk, word("pip"), it.osm.address)
        call(self.spotter, "file(bytes32,bytes32,uint256)", ilk, word("mat"), spec.mat)
        for name, number in (("chop", spec.chop), ("hole", spec.hole)):
            call(self.dog, "file(bytes32,bytes32,uint256)", ilk, word(name), number)
        call(self.registry, "add", it.join.address)
        call(it.source, "poke", spec.price.to_bytes(32, "big"))
        call(it.osm, "poke")
        self._deployer.flush()

    def _appoint(self, it: Collateral) -> None:
        """The collateral's auction house, with its rules."""
        call, clip = self._deployer.call, it.clip
        call(it.osm, "kiss(address)", clip.address)
        call(self.vat, "rely", clip.address)
        call(self.dog, "rely", clip.address)
        call(clip, "rely", self.dog.address)
        for name, number in it.spec.parameters:
            call(it.calc, "file(bytes32,uint256)", word(name), number)
        for name, owner in (("vow", self.vow), ("calc", it.calc)):
            call(clip, "file(bytes32,address)", word(name), owner.address)
        for name in ("buf", "tail", "cusp", "chip", "tip"):
            call(clip, "file(bytes32,uint256)", word(name), getattr(it.spec, name))
        call(self.dog, "file(bytes32,bytes32,address)", it.ilk, word("clip"), clip.address)
        call(clip, "upchost")
        self._deployer.flush()

    def replace_house(self, name: str) -> None:
        """Other auctions from now on; those that run stay where they are."""
        clip, calc = self._house(self.ilks[name].spec)
        self._deployer.flush()
        self.ilks[name] = replace(self.ilks[name], clip=clip, calc=calc)
        self._appoint(self.ilks[name])

    def replace_curve(self, name: str, curve: str, parameters: tuple[tuple[str, int], ...]) -> None:
        """Prices that fall in another way."""
        calc = self._deployer.create(self._make(curve))
        for parameter, number in parameters:
            self._deployer.call(calc, "file(bytes32,uint256)", word(parameter), number)
        self._deployer.flush()
        self.ilks[name] = replace(self.ilks[name], calc=calc)
        self.file(self.ilks[name].clip, "calc", calc.address)

    # prices and fees -----------------------------------------------------------------------------------------------

    def price_tx(self, name: str, price: int) -> Tx:
        """What the OSM will learn at its next poke."""
        return self.ilks[name].source.tx("poke", price.to_bytes(32, "big"), sender=ADMIN)

    def hop(self, name: str) -> None:
        """The OSM's next price becomes the current one, and the vat is told."""
        it = self.ilks[name]
        now = self.stage.timestamp()
        self.stage.advance(max(int(it.osm.call("zzz")) + HOP - now, 1))
        it.osm.send("poke", sender=ADMIN)
        self.spotter.send("poke", it.ilk, sender=ADMIN)

    def fall(self, name: str, price: int) -> None:
        """A price all the way into the vat: it takes two hops."""
        self.stage.rpc.send_all([self.price_tx(name, price)])
        self.hop(name)
        self.hop(name)

    def set_fee_txs(self, name: str, duty: int) -> list[Tx]:
        """A fee may only be changed in the block of a drip."""
        ilk = self.ilks[name].ilk
        change = self.jug.tx("file(bytes32,bytes32,uint256)", ilk, word("duty"), duty, sender=ADMIN)
        return [self.jug.tx("drip", ilk, sender=ADMIN), change]

    def set_fee(self, name: str, duty: int) -> None:
        """What debt grows by every second."""
        self.stage.rpc.send_all(self.set_fee_txs(name, duty))

    def file(self, contract: Contract, *words: object) -> Receipt:
        """A parameter, by the form of ``file`` that its words ask for."""
        *names, last = words
        kind = "address" if isinstance(last, str) else "uint256"
        form = f"file({'bytes32,' * len(names)}{kind})"
        return contract.send(form, *[word(str(name)) for name in names], last, sender=ADMIN)

    # urns and auctions ---------------------------------------------------------------------------------------------

    def frob_tx(self, name: str, urn: Address, dink: int, dart: int) -> Tx:
        """The owner moves his own collateral and debt."""
        return self.vat.tx("frob", self.ilks[name].ilk, urn, urn, urn, dink, dart, sender=urn)

    def lock_txs(self, name: str, urn: Address, wad: int) -> list[Tx]:
        """Collateral out of nothing, into the vat."""
        it = self.ilks[name]
        amount = wad // 10 ** (18 - self.stage.layout.tokens[it.spec.symbol].decimals)
        paid = self.stage.hand_out(it.spec.symbol, urn, amount, it.join.address)
        return [*paid, it.join.tx("join", urn, amount, sender=urn)]

    def open(self, name: str, urn: Address, ink: int, art: int) -> None:
        """An urn with collateral and debt."""
        self.stage.fund(urn)
        self.stage.rpc.send_all([*self.lock_txs(name, urn, ink), self.frob_tx(name, urn, ink, art)])

    def bark_tx(self, name: str, urn: Address, keeper: Address) -> Tx:
        """Starts an auction."""
        return self.dog.tx("bark", self.ilks[name].ilk, urn, keeper, sender=keeper)

    def bark(self, name: str, urn: Address, keeper: Address) -> int:
        """Starts an auction and returns its number."""
        self.dog.send("bark", self.ilks[name].ilk, urn, keeper, sender=keeper)
        return int(self.ilks[name].clip.call("kicks"))

    def rich_txs(self, keeper: Address, name: str, wad: int) -> list[Tx]:
        """Dai in the vat that an auction may take."""
        into = self.dai_join.tx("join", keeper, wad, sender=keeper)
        paid = self.stage.hand_out("DAI", keeper, wad, self.dai_join.address)
        return [*paid, into, self.vat.tx("hope", self.ilks[name].clip.address, sender=keeper)]

    def take_tx(self, name: str, number: int, keeper: Address, amount: int, most: int = MAX_U256) -> Tx:
        """A purchase paid with dai that is in the vat already."""
        return self.ilks[name].clip.tx("take", number, amount, most, keeper, b"", sender=keeper)

    def sale(self, name: str, number: int) -> dict[str, Any]:
        """An auction as the clipper has it."""
        fields = ("pos", "tab", "lot", "usr", "tic", "top")
        return dict(zip(fields, self.ilks[name].clip.call("sales", number), strict=True))

    def urn(self, name: str, urn: Address) -> tuple[int, int]:
        """Collateral and debt."""
        ink, art = self.vat.call("urns", self.ilks[name].ilk, urn)
        return int(ink), int(art)
