"""A seeded random walk over a Maker-like market: everything protocols.md F names, several actions a block.

Most actions are legal, some revert: both are what a chain sees. The walk is a pure function of its seed.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from keeper.core.units import MAX_U256, RAD, RAY, WAD, Address
from keeper.devnet.layout import ADMIN
from keeper.devnet.maker import HOP, STAIRS, Collateral, IlkSpec, Maker, word
from keeper.devnet.rpc import Tx
from keeper.devnet.world import World
from tests.chain.player import Player

RICH = Address("0x" + "4e" * 20)  # who takes, barks and resets
LATER = IlkSpec("ETH-B", "WETH", "stairstep_decrease", STAIRS, 2_000 * WAD, mat=13 * RAY // 10, tip=0)


@dataclass
class MakerWalk(Player):
    """Draws actions and puts them on chain, a few to a block."""

    world: World
    seed: int
    people: int = 20
    done: Counter[str] = field(default_factory=Counter)
    reverted: Counter[str] = field(default_factory=Counter)
    accounts: list[Address] = field(default_factory=list)
    urns: list[tuple[str, Address]] = field(default_factory=list)
    common: tuple[str, ...] = ("open", "price", "bark")
    pauses: tuple[int, ...] = (1, 60, 1200, 1800, 3600, 3600, 7200, 86_400)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.accounts = [Address(f"0x{self.random.getrandbits(160):040x}") for _ in range(self.people)]
        self.maker = Maker(self.world)
        self.world.fund(RICH, *self.accounts)
        self._enrich()
        self.kinds = {
            "open": (22, self.open),
            "frob": (14, self.frob),
            "fork": (4, self.fork),
            "price": (10, self.price),
            "hop": (12, self.hop),
            "drip": (5, self.drip),
            "bark": (16, self.bark),
            "take": (16, self.take),
            "redo": (6, self.redo),
            "yank": (1, self.yank),
            "file": (7, self.file),
        }

    def _enrich(self) -> None:
        for name in self.maker.ilks:
            self.world.rpc.send_all(self.maker.rich_txs(RICH, name, 10**8 * WAD))

    def blocks(self, actions: int) -> Iterator[int]:
        """Play until so many actions succeeded, with the events of a market's life between; yields block numbers."""
        milestones = [
            (0.15, self.list_another),
            (0.30, self.replace_house),
            (0.40, self.void_oracle),
            (0.50, self.revive_oracle),
            (0.60, self.replace_curve),
            (0.70, self.pay_in_oracle_without_delay),
            (0.80, self.crash),
        ]
        while self.actions < actions:
            if milestones and self.actions >= milestones[0][0] * actions:
                milestones.pop(0)[1]()
                yield self.world.block_number()
            self.play_block()
            yield self.world.block_number()

    # a market's life -----------------------------------------------------------------------------------------------

    def list_another(self) -> None:
        self.maker.add(LATER)
        self.world.rpc.send_all(self.maker.rich_txs(RICH, LATER.name, 10**8 * WAD))

    def replace_house(self) -> None:
        """Running auctions stay with the old house."""
        self.maker.replace_house("LINK-A")
        self.world.rpc.send_all(self.maker.rich_txs(RICH, "LINK-A", 10**8 * WAD))

    def void_oracle(self) -> None:
        self.maker.ilks["WBTC-A"].osm.send("void", sender=ADMIN)

    def revive_oracle(self) -> None:
        it = self.maker.ilks["WBTC-A"]
        it.osm.send("start", sender=ADMIN)
        self.maker.hop("WBTC-A")
        self.maker.hop("WBTC-A")

    def replace_curve(self) -> None:
        self.maker.replace_curve("WBTC-A", "stairstep_decrease", (("cut", 97 * RAY // 100), ("step", 60)))

    def pay_in_oracle_without_delay(self) -> None:
        """The price contract itself, whose changes nobody logs but the vat's."""
        it = self.maker.ilks["LINK-A"]
        self.maker.file(self.maker.spotter, "LINK-A", "pip", it.source.address)
        self.maker.spotter.send("poke", it.ilk, sender=ADMIN)

    def crash(self) -> None:
        """More unsafe urns than the limits have room for."""
        self.maker.file(self.maker.dog, "ETH-A", "hole", 60_000 * RAD)
        self.maker.ilks["ETH-A"].osm.send("start", sender=ADMIN)
        self.maker.fall("ETH-A", int(self.price_of("ETH-A") * 0.6))

    # drawing -------------------------------------------------------------------------------------------------------

    def any_ilk(self) -> Collateral:
        return self.maker.ilks[self.random.choice(list(self.maker.ilks))]

    def held(self) -> tuple[str, Address]:
        """Mostly an urn that was opened before."""
        if self.urns and self.random.random() < 0.9:
            return self.random.choice(self.urns)
        return self.any_ilk().spec.name, self.random.choice(self.accounts)

    def price_of(self, name: str) -> int:
        return int.from_bytes(self.maker.ilks[name].source.call("peek")[0], "big")

    def terms(self, name: str) -> tuple[int, int, int]:
        """Rate, spot and dust in the vat."""
        _, rate, spot, _, dust = self.maker.vat.call("ilks", self.maker.ilks[name].ilk)
        return rate, spot, dust

    def open(self) -> list[Tx]:
        name, urn = self.any_ilk().spec.name, self.random.choice(self.accounts)
        self.urns.append((name, urn))
        rate, spot, dust = self.terms(name)
        debt = max(dust, RAD) * self.random.choice([1, 2, 5]) * 11 // 10
        ink = debt * RAY // max(spot, RAY // 1000) // RAY * self.random.choice([101, 110, 150]) // 100
        return [*self.maker.lock_txs(name, urn, ink), self.maker.frob_tx(name, urn, ink, debt // rate)]

    def frob(self) -> list[Tx]:
        """More or less collateral, more or less debt, all of it, and dust."""
        name, urn = self.held()
        ink, art = self.maker.urn(name, urn)
        rate, spot, _ = self.terms(name)
        room = max(ink * spot - art * rate, 0) // rate
        dink, dart = self.random.choice([
            (0, room * self.random.choice([30, 80, 99]) // 100), (0, -art), (0, -art // 3), (-ink // 10, 0),
            (-ink, -art), (1, 0), (0, -1), (0, 1), (-ink // 3, -art // 3),
        ])  # fmt: skip
        lock = self.maker.lock_txs(name, urn, dink) if dink > 0 else []
        return [*lock, self.maker.frob_tx(name, urn, dink, dart)]

    def fork(self) -> list[Tx]:
        (name, source), target = self.held(), self.random.choice(self.accounts)
        ink, art = self.maker.urn(name, source)
        ilk, part = self.maker.ilks[name].ilk, self.random.choice([1, 1, 2, 3])
        consent = self.maker.vat.tx("hope", source, sender=target)
        if self.random.random() < 0.3:  # backwards: the other's is taken
            ink, art = (-held for held in self.maker.urn(name, target))
        return [consent, self.maker.vat.tx("fork", ilk, source, target, ink // part, art // part, sender=source)]

    def price(self) -> list[Tx]:
        name = self.any_ilk().spec.name
        factor = self.random.choice([0.8, 0.9, 0.95, 0.97, 0.99, 1.01, 1.05, 1.1, 1.25])
        return [self.maker.price_tx(name, max(int(self.price_of(name) * factor), 1))]

    def hop(self) -> list[Tx]:
        """The price moves on; now and then only half of the way."""
        it = self.any_ilk()
        txs = [it.osm.tx("poke", sender=RICH), self.maker.spotter.tx("poke", it.ilk, sender=RICH)]
        return self.random.choice([txs, txs, txs[:1], txs[1:]])

    def drip(self) -> list[Tx]:
        return [self.maker.jug.tx("drip", self.any_ilk().ilk, sender=RICH)]

    def unsafe(self) -> list[tuple[str, Address]]:
        """As the vat has it."""
        found = []
        for name, urn in dict.fromkeys(self.urns):
            (ink, art), (rate, spot, _) = self.maker.urn(name, urn), self.terms(name)
            found += [(name, urn)] if ink * spot < art * rate else []
        return found

    def bark(self) -> list[Tx]:
        weak = self.unsafe()
        name, urn = self.random.choice(weak) if weak else self.held()
        return [self.maker.bark_tx(name, urn, RICH)]

    def sales(self) -> list[tuple[str, int]]:
        return [(name, number) for name, it in self.maker.ilks.items() for number in it.clip.call("list")]

    def take(self) -> list[Tx]:
        """All of it, more than there is, a part, a crumb, and what would leave too little."""
        if not (found := self.sales()):
            return self.bark()
        name, number = self.random.choice(found)
        return [self.maker.take_tx(name, number, RICH, self.amount(name, number))]

    def amount(self, name: str, number: int) -> int:
        clip = self.maker.ilks[name].clip
        _, price, lot, tab = map(int, clip.call("getStatus", number))
        edge = max(tab - int(clip.call("chost")), 0) // price if price else lot
        return self.random.choice([
            lot, MAX_U256, lot // 2, lot // 5, lot // 100, 1, 0, max(lot - 1, 0), edge, edge + 1, edge * 101 // 100,
            tab // price if price else lot, tab // price + 1 if price else lot,
        ])  # fmt: skip

    def redo(self) -> list[Tx]:
        if not (found := self.sales()):
            return self.bark()
        old = [sale for sale in found if self.maker.ilks[sale[0]].clip.call("getStatus", sale[1])[0]]
        name, number = self.random.choice(old or found)
        return [self.maker.ilks[name].clip.tx("redo", number, RICH, sender=RICH)]

    def yank(self) -> list[Tx]:
        if not (found := self.sales()):
            return self.bark()
        name, number = self.random.choice(found)
        return [self.maker.ilks[name].clip.tx("yank", number, sender=ADMIN)]

    def file(self) -> list[Tx]:
        """One change of a parameter, by the administrator."""
        it, draw = self.any_ilk(), self.random.choice
        of_ilk = "file(bytes32,bytes32,uint256)"
        choices: list[tuple[Any, str, tuple[object, ...]]] = [
            (self.maker.dog, of_ilk, (it.ilk, word("hole"), draw([0, 20_000, 100_000, 10**7]) * RAD)),
            (self.maker.dog, of_ilk, (it.ilk, word("chop"), draw([100, 108, 113]) * WAD // 100)),
            (self.maker.dog, "file(bytes32,uint256)", (word("Hole"), draw([30_000, 10**6, 10**8]) * RAD)),
            (self.maker.vat, of_ilk, (it.ilk, word("dust"), draw([100, 2_000, 7_500]) * RAD)),
            (self.maker.spotter, of_ilk, (it.ilk, word("mat"), draw([125, 145, 170]) * RAY // 100)),
            (self.maker.spotter, "file(bytes32,uint256)", (word("par"), draw([99, 100, 100, 101]) * RAY // 100)),
            (self.maker.jug, "file(bytes32,uint256)", (word("base"), draw([0, 0, 10**17]))),
            (it.clip, "file(bytes32,uint256)", (word("buf"), draw([110, 120, 130]) * RAY // 100)),
            (it.clip, "file(bytes32,uint256)", (word("tail"), draw([1200, 3600, 10_800]))),
            (it.clip, "file(bytes32,uint256)", (word("cusp"), draw([0, 40, 75]) * RAY // 100)),
            (it.clip, "file(bytes32,uint256)", (word("chip"), draw([0, 1, 20]) * WAD // 1000)),
            (it.clip, "file(bytes32,uint256)", (word("tip"), draw([0, 100, 300]) * RAD)),
            (it.clip, "file(bytes32,uint256)", (word("stopped"), draw([0, 0, 0, 1, 2, 3]))),
            (it.osm, draw(["stop", "start", "start"]), ()),
            (it.clip, "upchost", ()),
        ]
        contract, function, arguments = draw(choices)
        if draw([0, 0, 0, 0, 1]):
            return self.maker.set_fee_txs(it.spec.name, RAY + draw([0, 10**18, 10**19, 10**20]))
        restart = [it.clip.tx("file(bytes32,uint256)", word("stopped"), 0, sender=ADMIN)] if draw([0, 1]) else []
        return [*restart, contract.tx(function, *arguments, sender=ADMIN)]


def wait_for_hop(walk: MakerWalk, name: str) -> None:
    """So that an OSM may be poked in the next block."""
    due = int(walk.maker.ilks[name].osm.call("zzz")) + HOP
    walk.world.advance(max(due - walk.world.timestamp() - 12, 1))
