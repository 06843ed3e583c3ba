"""What the executor answers, encoded here by an ABI library."""

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.contracts.decode import (
    SKIPPED,
    Realised,
    Result,
    decode_result,
    decode_revert,
    realised,
    skipped_legs,
)
from keeper.core.events import Log
from keeper.core.units import Address, Amount, Hash, Wei
from keeper.errors import DecodeError

EXECUTOR, WETH, OTHER = (Address("0x" + digits * 20) for digits in ("e1", "ee", "0a"))
NOBODY = Address("0x" + "00" * 20)
TRANSFER = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
WITHDRAWAL = "0x" + keccak(text="Withdrawal(address,uint256)").hex()


def log(address: Address, *topics: str, data: bytes) -> Log:
    padded = (topics[0], *(f"0x{topic[2:]:0>64}" for topic in topics[1:]))
    return Log(address, padded, "0x" + data.hex(), "0x1", Hash("0x"), Hash("0x"), "0x0", "0x0")


def moved(sender: Address, receiver: Address, amount: int, token: Address = WETH) -> Log:
    return log(token, TRANSFER, sender, receiver, data=encode(["uint256"], [amount]))


def error(signature: str, *values: object) -> str:
    types = signature.partition("(")[2].rstrip(")").split(",") if values else []
    return "0x" + (keccak(text=signature)[:4] + encode(types, values)).hex()


def test_results() -> None:
    data = "0x" + encode(["uint256"] * 3, [7, 3, 0b1001]).hex()
    assert decode_result(data) == Result(Amount(7), Wei(3), (0, 3))
    with pytest.raises(DecodeError):
        decode_result("0x")


@pytest.mark.parametrize(
    ("data", "name", "lost"),
    [
        (error("Gone(address)", OTHER), "Gone", True),
        (error("Healthy(address)", OTHER), "Healthy", True),
        (error("HealthFactorNotBelowThreshold()"), "Healthy", True),
        (error("Error(string)", "45"), "Healthy", True),
        (error("Error(string)", "46"), "46", False),
        (error("Error(string)", "GPv2: failed transferFrom"), "GPv2: failed transferFrom", False),
        (error("Error(string)", "x" * 90)[: 2 + 2 * 132], "x" * 64, False),  # as the contract cuts it off
        (error("Unprofitable(uint256,uint256,uint256)", 1, 2, 3), "Unprofitable", False),
        (error("Short(uint256,uint256)", 1, 2), "Short", False),
        (error("Unpaid(address,uint256)", OTHER, 2), "Unpaid", False),
        (error("Expired()"), "Expired", False),
        (error("Panic(uint256)", 17), "0x4e487b71", False),
        ("0x", "0x", False),
        ("0x08c379a0", "0x08c379a0", False),
    ],
)
def test_reverts_have_names(data: str, name: str, *, lost: bool) -> None:
    assert (decode_revert(data).name, decode_revert(data).lost) == (name, lost)


def test_skipped_legs_are_the_executors_own() -> None:
    reason = bytes.fromhex(error("Gone(address)", OTHER)[2:])
    data = encode(["uint256", "bytes"], [5, reason])
    assert keccak(text="Skipped(uint256,bytes)").hex() == SKIPPED[2:]
    logs = [log(EXECUTOR, SKIPPED, data=data), log(OTHER, SKIPPED, data=data), moved(OTHER, EXECUTOR, 1)]
    ((place, why),) = skipped_legs(logs, EXECUTOR)
    assert (place, why.name, why.data) == (5, "Gone", "0x" + reason.hex())


def test_realised_profit_and_bid_are_read_from_the_profit_tokens_logs() -> None:
    flows = [
        moved(OTHER, EXECUTOR, 900),
        moved(EXECUTOR, OTHER, 300),
        moved(OTHER, EXECUTOR, 5, token=OTHER),
        moved(OTHER, NOBODY, 1_000),
        log(WETH, WITHDRAWAL, OTHER, data=encode(["uint256"], [70])),
    ]
    assert realised(flows, EXECUTOR, WETH) == Realised(Amount(600), Wei(0))
    unwrapped = [*flows, log(WETH, WITHDRAWAL, EXECUTOR, data=encode(["uint256"], [200]))]
    assert realised(unwrapped, EXECUTOR, WETH) == Realised(Amount(600), Wei(200))
    burnt = [*flows, moved(EXECUTOR, NOBODY, 200)]
    assert realised(burnt, EXECUTOR, WETH) == Realised(Amount(600), Wei(200))
