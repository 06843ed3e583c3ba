"""Barks, purchases, resets and prices against the local market's contracts: every number is one that they gave."""

from dataclasses import dataclass
from random import Random

import pytest

from keeper.core.refusals import Reason
from keeper.core.units import MAX_U256, RAD, RAY, WAD, Address, Timestamp
from keeper.devnet.contract import Contract, Deployer
from keeper.devnet.layout import ADMIN
from keeper.devnet.maker import Collateral, Maker, fixture, word
from keeper.devnet.rpc import Reverted
from keeper.devnet.world import World
from keeper.protocols.maker_clip import maths
from keeper.protocols.maker_clip.auction import Auction, Rules, Sale, Taken, reward
from keeper.protocols.maker_clip.bark import Barked, Kennel, bark, unsafe
from keeper.protocols.maker_clip.curve import Curve, Shape

KEEPER = Address("0x" + "4e" * 20)
DEBT = 30_000
SHAPES = {"ETH-A": Shape.STAIRSTEP, "WBTC-A": Shape.LINEAR, "LINK-A": Shape.EXPONENTIAL}
STEP = 12  # seconds from block to block


@dataclass(frozen=True, slots=True)
class Trial:
    """A market, and what its contracts are asked before something is tried."""

    world: World
    maker: Maker
    draw: Random

    def curve(self, it: Collateral) -> Curve:
        given = dict(it.spec.parameters)
        return Curve(SHAPES[it.spec.name], **given)

    def rules(self, it: Collateral) -> Rules:
        names = ("buf", "tail", "cusp", "chip", "tip", "chost", "stopped")
        return Rules(it.calc.address, self.curve(it), *(int(it.clip.call(name)) for name in names))

    def auction(self, it: Collateral, number: int, at: int) -> Auction:
        sale = self.maker.sale(it.spec.name, number)
        return Auction(
            self.rules(it), Sale(sale["tab"], sale["usr"], sale["tic"], sale["top"]), sale["lot"], Timestamp(at)
        )

    def kennel(self, it: Collateral) -> Kennel:
        dog = self.maker.dog
        _, rate, spot, _, dust = self.maker.vat.call("ilks", it.ilk)
        _, chop, hole, dirt = dog.call("ilks", it.ilk)
        return Kennel(
            bool(dog.call("live")), rate, spot, dust, chop, hole, dirt, int(dog.call("Hole")), int(dog.call("Dirt"))
        )

    def feed(self, it: Collateral) -> int:
        """What the clipper itself reads, as it has no view of it: the price that was poked, in dai."""
        value = it.osm.call("peek", sender=it.clip.address)[0]
        return maths.feed_price(int.from_bytes(value, "big"), int(self.maker.spotter.call("par")))

    def told(self, it: Contract, name: str, receipt: dict[str, object]) -> list[int]:
        """The words of the one event of that name."""
        found = [log for log in receipt["logs"] if log["topics"][0] == it.abi.topics[name]]  # type: ignore[attr-defined]
        data = str(found[0]["data"])[2:]
        return [int(data[at : at + 64], 16) for at in range(0, len(data), 64)]


def staged(world: World, seed: int, count: int) -> Trial:
    """Every collateral with so many urns, all of them unsafe."""
    maker, draw = Maker(world), Random(seed)
    world.fund(KEEPER, *urns(count))
    for name, it in maker.ilks.items():
        ink = DEBT * WAD * WAD * 16 // 10 // it.spec.price
        opened = [[*maker.lock_txs(name, urn, ink), maker.frob_tx(name, urn, ink, DEBT * WAD)] for urn in urns(count)]
        world.rpc.send_all([*maker.rich_txs(KEEPER, name, 10**8 * WAD), *(tx for txs in opened for tx in txs)])
        maker.fall(name, it.spec.price * 85 // 100)
    return Trial(world, maker, draw)


def urns(count: int) -> list[Address]:
    return [Address(f"0x{number:040x}") for number in range(0xABC000, 0xABC000 + count)]


def take_once(trial: Trial, it: Collateral, number: int) -> str:
    """One purchase of a random amount at a random time: amounts, or the refusal."""
    world, draw, name = trial.world, trial.draw, it.spec.name
    at = world.timestamp() + draw.choice([STEP, 90, 600, 1800, 3000, 5000, 7000, 9000, 10_700, 11_000])
    expected = trial.auction(it, number, at)
    lot, tab, price, chost = expected.lot, expected.sale.tab, expected.price or 1, expected.rules.chost
    edge = max(tab - chost, 0) // price
    amount = draw.choice([
        lot, MAX_U256, lot - 1, lot // 2, lot // 9, draw.randrange(lot), edge, edge + 1, edge * 11 // 10, tab // price,
        tab // price + 1, 1, 0,
    ])  # fmt: skip
    foretold = expected.take(amount)
    world.rpc.rpc("evm_setNextBlockTimestamp", at)
    try:
        receipt = it.clip.send("take", number, amount, MAX_U256, KEEPER, b"", sender=KEEPER)
    except Reverted:
        assert isinstance(foretold, Reason), f"{name} {amount} at {at}: refused, not {foretold}"
        return foretold.value
    assert isinstance(foretold, Taken), f"{name} {amount} at {at}: done, not {foretold}"
    _, cost, owe, left_tab, left_lot = trial.told(it.clip, "Take", receipt)
    assert (cost, owe, left_tab, left_lot) == (
        expected.price, foretold.owe, tab - foretold.owe, lot - foretold.bought
    )  # fmt: skip
    return "taken"


def takes(trial: Trial, times: int) -> dict[str, int]:
    """Many of them, from auctions of every size."""
    maker, draw, seen = trial.maker, trial.draw, dict[str, int]()
    maker.file(maker.dog, "Hole", 10**9 * RAD)
    for name, it in maker.ilks.items():
        for urn in urns(times):
            room(trial, it, draw.choice([8_600, 12_000, 10**7]))
            maker.file(it.clip, "cusp", draw.choice([0, 30, 70]) * RAY // 100)
            maker.file(it.clip, "stopped", 0)
            least_left(trial, it, 7_500)
            number = maker.bark(name, urn, KEEPER)
            least_left(trial, it, draw.choice([7_500, 7_500, 40_000]))
            maker.file(it.clip, "stopped", draw.choice([0, 0, 0, 0, 2, 3]))
            outcome = take_once(trial, it, number)
            seen[outcome] = seen.get(outcome, 0) + 1
    return seen


def least_left(trial: Trial, it: Collateral, dust: int) -> None:
    """What urns must owe, and with it what a purchase must leave of an auction."""
    trial.maker.file(trial.maker.vat, it.spec.name, "dust", dust * RAD)
    it.clip.send("upchost", sender=KEEPER)


def room(trial: Trial, it: Collateral, dai: int) -> None:
    """So much more may be asked for by auctions of this collateral."""
    dirt = int(trial.maker.dog.call("ilks", it.ilk)[3])
    trial.maker.file(trial.maker.dog, it.spec.name, "hole", dirt + dai * RAD)


def test_purchases_to_the_wei(world: World, seed: int) -> None:
    assert takes(staged(world, seed, 12), 12)["taken"] >= 10


@pytest.mark.slow
def test_many_purchases_to_the_wei(world: World, seed: int) -> None:
    seen = takes(staged(world, seed, 100), 100)
    assert set(seen) == {"taken", Reason.PAUSED.value, Reason.RESET.value, Reason.DUST.value}
    assert min(seen.values()) >= 5, seen


def test_barks_to_the_wei(world: World, seed: int) -> None:
    trial, seen = staged(world, seed, 14), set[object]()
    maker, draw = trial.maker, trial.draw
    for name, it in maker.ilks.items():
        for urn in urns(14):
            room(trial, it, draw.choice([0, 500, 9_000, 25_000, 27_000, 10**7]))
            maker.file(maker.dog, name, "chop", draw.choice([100, 107, 113]) * WAD // 100)
            maker.file(it.clip, "tip", draw.choice([0, 300]) * RAD)
            maker.file(it.clip, "chip", draw.choice([0, 3]) * WAD // 1000)
            seen.add(bark_once(trial, it, urn))
    assert seen == {Reason.FULL, Reason.DUST, "all", "part"}


def bark_once(trial: Trial, it: Collateral, urn: Address) -> object:
    """One bark: amounts, price and reward, or the refusal."""
    maker, (ink, art) = trial.maker, trial.maker.urn(it.spec.name, urn)
    kennel, rules, feed = trial.kennel(it), trial.rules(it), trial.feed(it)
    assert unsafe(ink, art, kennel.spot, kennel.rate)
    foretold = bark(kennel, ink, art)
    try:
        receipt = maker.dog.send("bark", it.ilk, urn, KEEPER, sender=KEEPER)
    except Reverted:
        assert isinstance(foretold, Reason)
        return foretold
    assert isinstance(foretold, Barked)
    assert trial.told(maker.dog, "Bark", receipt)[:3] == [foretold.ink, foretold.art, foretold.due]
    coin = reward(rules, foretold.tab)
    assert trial.told(it.clip, "Kick", receipt) == [feed * rules.buf // RAY, foretold.tab, foretold.ink, coin]
    return "all" if foretold.art == art else "part"


def test_resets_and_their_first_second(world: World, seed: int) -> None:
    trial = staged(world, seed, 1)
    maker = trial.maker
    for name, it in maker.ilks.items():
        number = maker.bark(name, urns(1)[0], KEEPER)
        due = trial.auction(it, number, 0).reset_at()
        world.rpc.rpc("evm_setNextBlockTimestamp", due - 1)
        with pytest.raises(Reverted):
            it.clip.send("redo", number, KEEPER, sender=KEEPER)
        world.rpc.rpc("evm_setNextBlockTimestamp", due)
        foretold = trial.auction(it, number, due).reward(trial.feed(it))
        receipt = it.clip.send("redo", number, KEEPER, sender=KEEPER)
        assert trial.told(it.clip, "Redo", receipt)[3] == foretold > 0
        assert maker.sale(name, number)["tic"] == due


def test_rates_grow_as_the_jug_says(world: World, seed: int) -> None:
    maker, draw = Maker(world), Random(seed)
    world.fund(KEEPER)
    for _ in range(15):
        name = draw.choice(list(maker.ilks))
        duty, base = RAY + draw.randrange(10**19), draw.randrange(10**17)
        maker.set_fee(name, duty)
        maker.file(maker.jug, "base", base)
        _, rate, *_ = maker.vat.call("ilks", maker.ilks[name].ilk)
        _, since = maker.jug.call("ilks", maker.ilks[name].ilk)
        at = world.timestamp() + draw.randrange(1, 10**8)
        world.rpc.rpc("evm_setNextBlockTimestamp", at)
        maker.jug.send("drip", maker.ilks[name].ilk, sender=KEEPER)
        assert maker.vat.call("ilks", maker.ilks[name].ilk)[1] == maths.dripped(rate, duty + base, at - since)


@pytest.mark.parametrize(
    ("name", "shape", "fields"),
    [
        ("linear_decrease", Shape.LINEAR, ("tau",)),
        ("stairstep_decrease", Shape.STAIRSTEP, ("cut", "step")),
        ("exponential_decrease", Shape.EXPONENTIAL, ("cut",)),
    ],
)
def test_prices_fall_as_the_calculator_says(
    world: World, seed: int, name: str, shape: Shape, fields: tuple[str, ...]
) -> None:
    draw, deployer = Random(f"{seed} {name}"), Deployer(world.rpc, ADMIN)
    calc = deployer.create(fixture(name))
    deployer.flush()
    for _ in range(10):
        drawn = {"tau": draw.randrange(1, 50_000), "step": draw.randrange(1, 500), "cut": RAY - draw.randrange(10**25)}
        given = {field: drawn[field] for field in fields}
        for field, number in given.items():
            calc.send("file(bytes32,uint256)", word(field), number, sender=ADMIN)
        curve, top = Curve(shape, **given), draw.randrange(10**32)
        for _ in range(30):
            seconds = draw.randrange(60_000)
            assert calc.call("price", top, seconds) == curve.price(top, seconds)
