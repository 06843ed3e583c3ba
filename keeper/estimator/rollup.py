"""What a rollup charges beside execution: posting the bytes to L1, and the operator's fee.

Laws
- OP stack: the formulas of Ecotone, Fjord, Isthmus and Jovian, to the wei, on the *unsigned* transaction.
- Arbitrum: its gas estimate already holds the L1 part as gas. Execution and L1 are split here and never added twice.
- A fee that will be charged later, at an L1 price not yet known, is padded by the caller (``padded``), never here.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from keeper.core.units import BPS, MAX_U256, Wei, mul_div_up

_SIGNATURE: Final = 68  # bytes a signature adds to an unsigned transaction
_FJORD_INTERCEPT: Final = -42_585_600
_FJORD_COEFFICIENT: Final = 836_500
_FJORD_MINIMUM: Final = 100 * 10**6
_MICRO: Final = 10**6
_WINDOW: Final = 8191  # how far back a match may lie


class DataFee(Protocol):
    """What a chain charges for a transaction's bytes and, where it does, for an operator."""

    def fee(self, unsigned: bytes, gas: int) -> Wei:
        """Everything beside ``gas * price``, for an unsigned transaction that uses so much execution gas."""
        ...


@dataclass(frozen=True, slots=True)
class NoDataFee:
    """A chain that charges execution only."""

    def fee(self, unsigned: bytes, gas: int) -> Wei:
        """Nothing."""
        del unsigned, gas
        return Wei(0)


@dataclass(frozen=True, slots=True)
class OpStackFee:
    """The L1 block attributes an OP-stack chain publishes, and the rules of its last upgrade."""

    l1_base_fee: int
    blob_base_fee: int
    base_fee_scalar: int
    blob_base_fee_scalar: int
    fjord: bool = True
    operator_scalar: int = 0
    operator_constant: int = 0
    jovian: bool = False
    pad: int = 1000  # bps: L1 prices move between the estimate and the block

    def fee(self, unsigned: bytes, gas: int) -> Wei:
        """L1 data fee, padded, and operator fee."""
        data = self.data_fee(unsigned)
        return Wei(mul_div_up(data, BPS + self.pad, BPS) + self.operator_fee(gas))

    def data_fee(self, unsigned: bytes) -> Wei:
        """What ``GasPriceOracle.getL1Fee`` answers for the same bytes."""
        price = 16 * self.l1_base_fee * self.base_fee_scalar + self.blob_base_fee * self.blob_base_fee_scalar
        if self.fjord:
            scaled = _FJORD_INTERCEPT + _FJORD_COEFFICIENT * (fastlz_length(unsigned) + _SIGNATURE)
            return Wei(max(scaled, _FJORD_MINIMUM) * price // _MICRO**2)
        return Wei(calldata_gas(unsigned, _SIGNATURE) * price // (16 * _MICRO))

    def operator_fee(self, gas: int) -> Wei:
        """What ``GasPriceOracle.getOperatorFee`` answers for so much gas."""
        if self.jovian:
            return Wei(gas * self.operator_scalar * 100 + self.operator_constant)
        return Wei(min(min(gas * self.operator_scalar, MAX_U256) // _MICRO + self.operator_constant, MAX_U256))


class ArbitrumComponents(NamedTuple):
    """What ``NodeInterface.gasEstimateComponents`` answers."""

    gas: int  # the L1 part included
    l1_gas: int
    base_fee: int
    l1_base_fee: int

    @property
    def execution_gas(self) -> int:
        """Gas of the plan's own steps: what the gas book learns."""
        return self.gas - self.l1_gas

    @property
    def l1_fee(self) -> Wei:
        """The L1 part alone."""
        return Wei(self.l1_gas * self.base_fee)

    @property
    def total_fee(self) -> Wei:
        """All of it: the L1 part is inside ``gas`` and is not added again."""
        return Wei(self.gas * self.base_fee)


@dataclass(frozen=True, slots=True)
class ArbitrumFee:
    """Arbitrum's L1 charge before a node has estimated it: calldata units at the pricer's price."""

    unit_price: int  # wei per L1 calldata unit, ``ArbGasInfo.getL1BaseFeeEstimate``
    compression: int = BPS  # bps of the bytes left after compression; the whole of them until learned
    pad: int = 1000  # bps

    def fee(self, unsigned: bytes, gas: int) -> Wei:
        """The L1 part, padded."""
        del gas
        units = mul_div_up(16 * (len(unsigned) + _SIGNATURE), self.compression, BPS)
        return Wei(mul_div_up(units * self.unit_price, BPS + self.pad, BPS))


def calldata_gas(data: bytes, extra: int = 0) -> int:
    """Calldata gas: 4 for a zero byte, 16 for any other; ``extra`` bytes are taken as non-zero."""
    zeros = data.count(0)
    return 4 * zeros + 16 * (len(data) - zeros + extra)


def fastlz_length(data: bytes) -> int:
    """Length of the data compressed by FastLZ level 1, as the rollup's fee rule measures it."""
    size, limit, anchor, at = 0, max(len(data) - 13, 0), 0, 2
    table = [0] * 8192
    while at < limit:
        at, back = _find_match(data, table, at, limit)
        if at >= limit:
            break
        size += _literals(at - anchor)
        length = _match_length(data, back + 3, at + 3, limit + 9)
        size += _match(length)
        at = _remember(data, table, _remember(data, table, at + length))
        anchor = at
    return size + _literals(len(data) - anchor)


def _find_match(data: bytes, table: list[int], at: int, limit: int) -> tuple[int, int]:
    """The next position whose three bytes occurred at most 8,191 bytes before, and where."""
    while True:
        key = data[at : at + 3]
        slot = _slot(key)
        back, table[slot] = table[slot], at
        if at >= limit:
            return at, back
        if at - back <= _WINDOW and key == data[back : back + 3]:
            # The rule steps past the position before it looks at the limit, then back.
            return (at if at + 1 < limit else limit), back
        at += 1


def _slot(key: bytes) -> int:
    return (2654435769 * int.from_bytes(key, "little") & 0xFFFFFFFF) >> 19


def _remember(data: bytes, table: list[int], at: int) -> int:
    table[_slot(data[at : at + 3])] = at
    return at + 1


def _match_length(data: bytes, back: int, at: int, end: int) -> int:
    """Bytes that agree, the first that does not included, as the rule counts them."""
    length, most = 0, end - at
    while length < most:
        length += 1
        if data[back + length - 1] != data[at + length - 1]:
            break
    return length


def _literals(run: int) -> int:
    whole, rest = divmod(run, 32)
    return 33 * whole + (rest + 1 if rest else 0)


def _match(length: int) -> int:
    whole, rest = divmod(length - 1, 262)
    return 3 * whole + (3 if rest >= 6 else 2)  # noqa: PLR2004 - a longer match takes one byte more
