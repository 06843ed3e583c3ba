"""What decisions ask the chain beside books and pools: lenders, ages of oracles, the sequencer, a rollup's fees.

Law: what does not answer as expected has no reading, and says nothing for or against; an answer is never made up.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from keeper.core.events import Read, signed_word, word, word_address
from keeper.core.plans import FundingKind
from keeper.core.ports import Answers, CodeOf, InquiryOf, Loan
from keeper.core.units import BPS, WAD, ZERO_ADDRESS, Address, Bps, Timestamp, mul_div_up
from keeper.core.venues import answered, view
from keeper.estimator.guards import Reading, Sequencer
from keeper.estimator.rollup import ArbitrumFee, DataFee, NoDataFee, OpStackFee

LATEST_ROUND_DATA: Final = "0xfeaf968c"  # latestRoundData()
_ROUND: Final = 5  # words
BALANCE_OF: Final = "0x70a08231"  # balanceOf(address)
_FEES_COLLECTOR: Final = "0xd2946c2b"  # getProtocolFeesCollector()
_FLASH_LOAN_FEE: Final = "0xd877845c"  # getFlashLoanFeePercentage()

L1_BLOCK: Final = Address("0x4200000000000000000000000000000000000015")  # OP stack: attributes of the L1 block
GAS_ORACLE: Final = Address("0x420000000000000000000000000000000000000f")  # which upgrade's rules hold
ARB_GAS_INFO: Final = Address("0x000000000000000000000000000000000000006c")
_L1: Final = {
    "l1_base_fee": "0x5cf24969",  # basefee()
    "blob_base_fee": "0xf8206140",  # blobBaseFee()
    "base_fee_scalar": "0xc5985918",  # baseFeeScalar()
    "blob_base_fee_scalar": "0x68d5dca6",  # blobBaseFeeScalar()
    "operator_scalar": "0x4d5d9a2a",  # operatorFeeScalar()
    "operator_constant": "0x16d3bc7f",  # operatorFeeConstant()
}
_UPGRADES: Final = {"fjord": "0x960e3a23", "jovian": "0x105d0b81"}  # isFjord(), isJovian()
_L1_PRICE: Final = "0xf5d6ded7"  # getL1BaseFeeEstimate(): the price of a unit of L1 calldata


def readings(feeds: Mapping[Address, Address], heartbeat: int) -> InquiryOf[Mapping[Address, Reading]]:
    """What the feed of each asset said last, and when."""
    reads = {asset: view(feed, LATEST_ROUND_DATA) for asset, feed in feeds.items()}
    answers = yield list(dict.fromkeys(reads.values()))
    found = {asset: answered(answers, read, _ROUND) for asset, read in reads.items()}
    return {
        asset: Reading(signed_word(data, 1), Timestamp(word(data, 3)), heartbeat)
        for asset, data in found.items()
        if data is not None
    }


def sequencer(feed: Address) -> InquiryOf[Sequencer]:
    """Whether a rollup's sequencer is up. A feed that does not answer counts as down, since the time it began."""
    read = view(feed, LATEST_ROUND_DATA)
    data = answered((yield [read]), read, _ROUND)
    return Sequencer(1, Timestamp(0)) if data is None else Sequencer(signed_word(data, 1), Timestamp(word(data, 2)))


def loans(kind: FundingKind, source: Address, tokens: Sequence[Address]) -> InquiryOf[list[Loan]]:
    """What a vault lends of each token at most, and its fee; ``OWN``: what the executor at the address holds itself."""
    fee = (yield from _balancer_fee(source)) if kind is FundingKind.BALANCER_FLASH_LOAN else Bps(0)
    reads = {token: view(token, BALANCE_OF, source) for token in tokens}
    answers = yield list(reads.values())
    held = {token: _number(answers, read) or 0 for token, read in reads.items()}
    lender = ZERO_ADDRESS if kind is FundingKind.OWN else source
    return [Loan(kind, lender, token, amount, fee, fee_up=True) for token, amount in held.items() if amount]


def _balancer_fee(vault: Address) -> InquiryOf[Bps]:
    """The vault's fee, rounded up to basis points; all of it where it does not say: nobody borrows there."""
    collector = view(vault, _FEES_COLLECTOR)
    data = answered((yield [collector]), collector)
    if data is None:
        return Bps(BPS)
    fee = view(word_address(data, 0), _FLASH_LOAN_FEE)
    share = _number((yield [fee]), fee)
    return Bps(BPS if share is None else mul_div_up(share, BPS, WAD))


def rollup() -> InquiryOf[type[DataFee]]:
    """Which kind of chain this is, told from the contracts that only such a chain has."""
    op_stack, arbitrum = CodeOf(L1_BLOCK), CodeOf(ARB_GAS_INFO)
    answers = yield [op_stack, arbitrum]
    if len(answers[op_stack]) > len("0x"):
        return OpStackFee
    return ArbitrumFee if len(answers[arbitrum]) > len("0x") else NoDataFee


def data_fee(kind: type[DataFee]) -> InquiryOf[DataFee | None]:
    """What such a chain charges now for bytes; ``None``: it does not say."""
    if kind is OpStackFee:
        return (yield from _op_stack())
    if kind is ArbitrumFee:
        read = view(ARB_GAS_INFO, _L1_PRICE)
        price = _number((yield [read]), read)
        return None if price is None else ArbitrumFee(price)
    return NoDataFee()


def _op_stack() -> InquiryOf[DataFee | None]:
    parts = {name: view(L1_BLOCK, selector) for name, selector in _L1.items()}
    upgrades = {name: view(GAS_ORACLE, selector) for name, selector in _UPGRADES.items()}
    answers = yield [*parts.values(), *upgrades.values()]
    found = {name: _number(answers, read) for name, read in (parts | upgrades).items()}
    if found["l1_base_fee"] is None or found["base_fee_scalar"] is None:
        return None
    numbers = {name: found[name] or 0 for name in parts}
    return OpStackFee(**numbers, fjord=bool(found["fjord"]), jovian=bool(found["jovian"]))


def _number(answers: Answers, read: Read) -> int | None:
    data = answered(answers, read)
    return None if data is None else word(data, 0)
