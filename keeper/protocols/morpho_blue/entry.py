"""Whether an address is a Morpho Blue, and who makes pre-liquidations for one.

Law: the chain decides, by what the address answers; what it says of itself in words is not asked. Of the published
factories those count that say that they act on this very Morpho.
"""

from typing import Final

from keeper.core.calls import address, integer, size
from keeper.core.ports import CodeOf, InquiryOf
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.morpho_blue.calls import call, of_market
from keeper.protocols.morpho_blue.survey import STATE_WORDS

FACTORIES: Final = (  # of PreLiquidation contracts
    Address("0x6ff33615e792e35ed1026ea7caccf42d9bf83476"),  # Ethereum
    Address("0x8cd16b62e170ee0ba83d80e1f80e6085367e2aef"),  # Base
    Address("0x635c31b5df1f7efbcbc07e302335ef4230758e3d"),  # Arbitrum
    Address("0x3d05c01ee8e97361b9e19d172128255eae5f98b9"),  # Optimism
    Address("0xedadde37d76c72b98725614d0b41c20fe612d304"),  # Polygon
    Address("0xe3ce2051a24e58dbfc0efbe4c2d9e89c5eae4695"),  # World Chain, Fraxtal
    Address("0xb04e4d3d59ee47ca9ba192707af13a7d02969911"),  # Unichain
    Address("0xed960178e4ada0296786fa79d84e8fdf7bd44b25"),  # Scroll
)
_NO_MARKET: Final = "0x" + "0" * 64


def examine(morpho: Address) -> InquiryOf[str]:
    """What is wrong with an address that should be a Morpho; empty when nothing is."""
    code = CodeOf(morpho)
    market, limit = of_market(morpho, "market(bytes32)", _NO_MARKET), call(morpho, "isLltvEnabled(uint256)", 0)
    fees, whole = call(morpho, "feeRecipient()"), call(morpho, "MORPHO()")
    answers = yield [code, market, limit, fees, whole]
    if answers[code] == "0x":
        return "there is no contract at this address"
    if (found := address(answers, whole)) != ZERO_ADDRESS:
        return f"this is a part around a Morpho; the Morpho itself is {found}"
    if size(answers[market]) != STATE_WORDS or None in (integer(answers, limit), integer(answers, fees)):
        return "this contract is not a Morpho Blue: it has no markets, limits and recipient of fees"
    return ""
