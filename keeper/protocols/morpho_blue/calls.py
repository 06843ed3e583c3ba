"""View calls of Morpho Blue, its rate models, oracles and pre-liquidations, as reads."""

from typing import Final

from keeper.core.calls import view_call
from keeper.core.events import Read
from keeper.core.units import Address
from keeper.protocols.morpho_blue.facts import Listing, State

SELECTORS: Final = {
    "MORPHO()": "0x3acb5624",
    "feeRecipient()": "0x46904840",
    "isLltvEnabled(uint256)": "0xb485f3b8",
    "market(bytes32)": "0x5c60e39a",
    "position(bytes32,address)": "0x93c52062",
    "isAuthorized(address,address)": "0x65e4ad9e",
    "rateAtTarget(bytes32)": "0x01977b57",
    "borrowRateView((address,address,address,address,uint256),(uint128,uint128,uint128,uint128,uint128,uint128))": (
        "0x8c00bf6b"
    ),
    "price()": "0xa035b1fe",
    "BASE_VAULT()": "0xeaa2d7b4",
    "BASE_VAULT_CONVERSION_SAMPLE()": "0x054f7ac0",
    "BASE_FEED_1()": "0xf50a4718",
    "BASE_FEED_2()": "0xdc53858c",
    "QUOTE_VAULT()": "0x2e6f20a6",
    "QUOTE_VAULT_CONVERSION_SAMPLE()": "0x461739d2",
    "QUOTE_FEED_1()": "0x56095e11",
    "QUOTE_FEED_2()": "0xacfbd39e",
    "SCALE_FACTOR()": "0xce4b5bbe",
    "convertToAssets(uint256)": "0x07a2d13a",
    "aggregator()": "0x245a7bfc",
    "latestRoundData()": "0xfeaf968c",
    "decimals()": "0x313ce567",
}
_RATE_VIEW: Final = next(signature for signature in SELECTORS if signature.startswith("borrowRateView"))
MODEL: Final = (
    "BASE_VAULT()", "BASE_VAULT_CONVERSION_SAMPLE()", "BASE_FEED_1()", "BASE_FEED_2()",
    "QUOTE_VAULT()", "QUOTE_VAULT_CONVERSION_SAMPLE()", "QUOTE_FEED_1()", "QUOTE_FEED_2()", "SCALE_FACTOR()",
)  # fmt: skip


def call(to: Address, signature: str, *arguments: Address | int) -> Read:
    """A view call with static arguments."""
    return view_call(to, SELECTORS[signature], *arguments)


def of_market(to: Address, signature: str, market: str, *arguments: Address) -> Read:
    """A view call about a market."""
    return call(to, signature, int(market, 16), *arguments)


def rate_view(listing: Listing, state: State) -> Read:
    """What a rate model would charge since the last update."""
    return Read(listing.irm, SELECTORS[_RATE_VIEW] + listing.words + state.words)
