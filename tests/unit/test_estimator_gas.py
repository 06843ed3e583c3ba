"""Gas: the base fee rule, fee caps, learned gas, and the rollups' own fees."""

from keeper.core.plans import FundingKind, VenueKind
from keeper.core.units import Wei
from keeper.estimator.gas import (
    TX_GAS_CAP,
    FeeRule,
    GasBook,
    LegShape,
    Shape,
    max_fee,
    next_base_fee,
    prior,
    worst_base_fee,
)
from keeper.estimator.rollup import (
    ArbitrumComponents,
    ArbitrumFee,
    NoDataFee,
    OpStackFee,
    calldata_gas,
    fastlz_length,
)

GWEI = 10**9
LIMIT = 30_000_000
V3 = (VenueKind.UNISWAP_V3,)
LEG = LegShape("aave_v3", FundingKind.AAVE_FLASH_LOAN, wrapped=False, bad_debt=False, swaps=(V3,))
ALONE = Shape((LEG,))
TWO = Shape((LEG, LEG))

# A transaction of OP Mainnet (0x8eb9dd4e…16b594) with the FastLZ length that op-geth's own test gives for it.
CONTRACT_CALL = bytes.fromhex(
    "02f901550a758302df1483be21b88304743f94f80e51afb613d764fa61751affd3313c190a86bb870151bd62fd12adb8"
    "e41ef24f3f000000000000000000000000000000000000000000000000000000000000006e00000000000000000000"
    "0000af88d065e77c8cc2239327c5edb3a432268e5831000000000000000000000000000000000000000000000000000"
    "000000003c1e500000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000a0000000000000000000000000000000000000000000000000"
    "00000000000000148c89ed219d02f1a5be012c689b4f5b731827bebe000000000000000000000000c001a033fd89cb37"
    "c31b2cba46b6466e040c61fc9b2a3675a7f5f493ebd5ad77c497f8a07cdf65680e238392693019b4092f610222e71b7c"
    "ec06449cb922b93b6a12744e"
)
EMPTY_TX = bytes.fromhex("dd80808094095e7baea6a6c7c4c2dfeb977efac326af552d878080808080")


def test_full_block_raises_and_empty_block_lowers_by_an_eighth() -> None:
    assert next_base_fee(20 * GWEI, LIMIT, LIMIT) == 22_500_000_000
    assert next_base_fee(20 * GWEI, 0, LIMIT) == 17_500_000_000
    assert next_base_fee(20 * GWEI, LIMIT // 2, LIMIT) == 20 * GWEI


def test_smallest_rise_is_one_wei() -> None:
    assert next_base_fee(7, LIMIT // 2 + 1, LIMIT) == 8
    assert next_base_fee(7, LIMIT // 2 - 1, LIMIT) == 7


def test_vectors_of_eip_1559() -> None:
    # go-ethereum's consensus/misc/eip1559 test: parent 1 gwei, limit 20 M, used 10 M, 9 M, 11 M
    assert next_base_fee(10**9, 10_000_000, 20_000_000) == 10**9
    assert next_base_fee(10**9, 9_000_000, 20_000_000) == 987_500_000
    assert next_base_fee(10**9, 11_000_000, 20_000_000) == 1_012_500_000


def test_other_chains_rule() -> None:
    op = FeeRule(elasticity=6, denominator=250, minimum=Wei(5))
    # A full OP block uses six times its target: base + base * 5 / 250.
    assert next_base_fee(10**6, 60_000_000, 60_000_000, op) == 10**6 + 10**6 * 5 // 250
    assert next_base_fee(5, 0, 60_000_000, op) == 5


def test_fee_cap_covers_the_window() -> None:
    assert worst_base_fee(20 * GWEI, 3, LIMIT) == 28_476_562_500
    assert max_fee(20 * GWEI, 2 * GWEI, 3, LIMIT) == 30_476_562_500
    assert worst_base_fee(20 * GWEI, 0, LIMIT) == 20 * GWEI


def test_gas_book_prefers_what_it_learned() -> None:
    book = GasBook()
    assert book.gas(ALONE) == 60_000 + prior(LEG)
    book = book.learn(ALONE, 470_000)
    assert book.gas(ALONE) == 470_000
    assert book.gas(TWO) == 470_000 + (470_000 - 60_000) * 3 // 5
    assert book.learn(TWO, 800_000).gas(TWO) == 800_000


def test_gas_book_learns_what_a_leg_takes_after_others_of_its_shape() -> None:
    one, other = LEG, LEG._replace(protocol="other")
    book = GasBook().learn(Shape((one,)), 460_000).learn(Shape((other,)), 260_000)
    three = book.learn(Shape((one,) * 3), 760_000)
    assert three.repeat(one) == 150_000
    assert three.gas(Shape((one,) * 5)) == 460_000 + 4 * 150_000
    assert three.repeat(other) == book.repeat(other)
    both = book.learn(Shape((one, one, other, other)), 60_000 + 400_000 + 200_000 + 300_000)
    assert (both.repeat(one), both.repeat(other)) == (200_000, 100_000)
    cheap = book.learn(Shape((one, one)), 300_000)
    assert cheap.repeat(one) == 400_000 // 8  # not for nothing, whatever was seen
    dear = book.learn(Shape((one, one)), 10**6)
    assert dear.repeat(one) == dear.leg(one)  # never more than a first one


def test_gas_book_takes_nothing_for_cheaper_once_it_may_have_run_out() -> None:
    batch = Shape((LEG,) * 3)
    book = GasBook().learn(Shape((LEG,)), 460_000).learn(batch, 760_000)
    again = book.forget(batch)
    assert again.gas(batch) == 60_000 + 3 * 400_000
    assert book.forget(Shape((LEG,))).gas(Shape((LEG,))) == GasBook().gas(Shape((LEG,)))


def test_gas_book_rises_at_once_and_falls_slowly() -> None:
    book = GasBook().learn(ALONE, 500_000)
    assert book.learn(ALONE, 600_000).gas(ALONE) == 600_000
    assert book.learn(ALONE, 420_000).gas(ALONE) == 490_000


def test_gas_book_forgets_the_oldest_shape() -> None:
    book = GasBook(size=2)
    shapes = [Shape((LEG._replace(protocol=name),)) for name in "abc"]
    for shape in shapes:
        book = book.learn(shape, 1)
    assert list(book.learned) == shapes[1:]


def test_gas_limit_has_headroom_within_the_cap() -> None:
    assert GasBook(margin=1500).limit(400_000) == 460_000
    assert GasBook().limit(16_000_000) == TX_GAS_CAP == 16_777_216


def test_prior_errs_upward_on_measured_flows() -> None:
    flash_swap = LegShape("aave_v3", FundingKind.UNISWAP_V3_FLASH_SWAP, wrapped=False, bad_debt=False, swaps=())
    book = GasBook()
    assert book.gas(Shape((flash_swap,))) > 396_000
    assert book.gas(ALONE) > 470_816


def test_fastlz_lengths_of_op_geth() -> None:
    assert fastlz_length(b"") == 0
    assert fastlz_length(b"\x01" * 1000) == 21
    assert fastlz_length(bytes(1000)) == 21
    assert fastlz_length(EMPTY_TX) == 31
    assert fastlz_length(CONTRACT_CALL) == 202
    assert fastlz_length(bytes.fromhex("facade")) == 4


def test_fjord_fee_of_op_geth_vectors() -> None:
    # op-revm: 1700 for the smallest transaction and 2148 for one of FastLZ length 202, at 17e6 wei per scaled byte.
    # Those lengths include the signature, for which the oracle adds 68 bytes.
    oracle = OpStackFee(l1_base_fee=1000, blob_base_fee=1000, base_fee_scalar=1000, blob_base_fee_scalar=1000)
    assert oracle.data_fee(bytes.fromhex("facade")) == 1700
    scaled = -42_585_600 + 836_500 * (202 + 68)
    assert oracle.data_fee(CONTRACT_CALL) == scaled * 17 // 10**6


def test_ecotone_fee_counts_calldata_gas() -> None:
    oracle = OpStackFee(10**9, 10**7, 2, 3, fjord=False)
    gas = calldata_gas(EMPTY_TX) + 68 * 16
    assert gas == 30 * 16 + 68 * 16
    assert oracle.data_fee(EMPTY_TX) == gas * (16 * 10**9 * 2 + 10**7 * 3) // (16 * 10**6)
    assert calldata_gas(b"\x00\x01\x00") == 4 + 16 + 4


def test_operator_fee_before_and_after_jovian() -> None:
    isthmus = OpStackFee(0, 0, 0, 0, operator_scalar=1_439_103_868, operator_constant=1_256_417_826_609_331_460)
    assert isthmus.operator_fee(1618) == 1618 * 1_439_103_868 // 10**6 + 1_256_417_826_609_331_460
    jovian = OpStackFee(0, 0, 0, 0, operator_scalar=3, operator_constant=7, jovian=True)
    assert jovian.operator_fee(1618) == 1618 * 3 * 100 + 7


def test_whole_op_fee_pads_data_only() -> None:
    plain = OpStackFee(1000, 1000, 1000, 1000, operator_scalar=10**6, operator_constant=5, pad=2500)
    assert plain.fee(b"\xfa\xca\xde", 400_000) == 1700 * 125 // 100 + 400_000 + 5


def test_arbitrum_l1_part_is_counted_once() -> None:
    parts = ArbitrumComponents(gas=1_000_000, l1_gas=300_000, base_fee=10**7, l1_base_fee=10**10)
    assert parts.total_fee == 10**13
    assert parts.execution_gas * parts.base_fee + parts.l1_fee == parts.total_fee


def test_arbitrum_before_an_estimate_takes_all_bytes() -> None:
    assert ArbitrumFee(unit_price=100, pad=1000).fee(bytes(32), 0) == 1600 * 100 * 11 // 10
    assert ArbitrumFee(unit_price=100, pad=0, compression=5000).fee(bytes(32), 0) == 800 * 100


def test_other_chains_charge_nothing_more() -> None:
    assert NoDataFee().fee(b"anything", 10**6) == 0
