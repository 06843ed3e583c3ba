"""Chainlink price feeds: the real ``FluxAggregator`` behind the real ``EACAggregatorProxy``.

Law: one oracle node reports and one report closes a round, so a submission is at once the new answer, and
``AnswerUpdated`` is emitted by the aggregator, never by the proxy, as on mainnet.
"""

from typing import Final

from keeper.core.units import ZERO_ADDRESS
from keeper.devnet.contract import Artifact, Contract, Deployer, artifact
from keeper.devnet.layout import FEED_DECIMALS, REPORTER, Feed
from keeper.devnet.packages import CHAINLINK

_BOUND: Final = 10**40  # answers of zero and below are let through: they are a case to be tested


def flux() -> Artifact:
    """The aggregator: emits, and is told answers."""
    return artifact(CHAINLINK, "abi/v0.6/FluxAggregator.json")


def proxy() -> Artifact:
    """What readers call."""
    return artifact(CHAINLINK, "abi/v0.6/EACAggregatorProxy.json")


def deploy_aggregator(deployer: Deployer, description: str) -> Contract:
    """An aggregator that listens to ``REPORTER`` and pays nothing."""
    no_timeout = no_payment = 0
    aggregator = deployer.create(
        flux(), ZERO_ADDRESS, no_payment, no_timeout, ZERO_ADDRESS, -_BOUND, _BOUND, FEED_DECIMALS, description
    )
    one_answer, no_delay = 1, 0
    deployer.call(aggregator, "changeOracles", [], [REPORTER], [REPORTER], one_answer, one_answer, no_delay)
    return aggregator


def deploy_feed(deployer: Deployer, description: str) -> Feed:
    """An aggregator and the proxy in front of it."""
    aggregator = deploy_aggregator(deployer, description)
    front = deployer.create(proxy(), aggregator.address, ZERO_ADDRESS)
    return Feed(front.address, aggregator.address)
