"""View calls of a Maker market, and the calldata of what is done there.

Law: what is not on this page is not asked and not called.
"""

from typing import Final

from keeper.core.calls import view_call
from keeper.core.events import Read
from keeper.core.units import ZERO_ADDRESS, Address

SELECTORS: Final = {
    "getAddress(bytes32)": "0x21f8a721",
    "join(bytes32)": "0xad677d0b",
    "gem()": "0x7bd2bea7",
    "dec()": "0xb3bcfa82",
    "dai()": "0xf4b9fa75",
    "ilks(bytes32)": "0xd9638d36",
    "urns(bytes32,address)": "0x2424be5c",
    "sales(uint256)": "0xb5f522f7",
    "getStatus(uint256)": "0x5c622a0e",
    "par()": "0x495d32cb",
    "base()": "0x5001f3b5",
    "live()": "0x957aa58c",
    "Hole()": "0xaf7cfeb1",
    "Dirt()": "0xeda6e121",
    "hop()": "0xb0b8579b",
    "zzz()": "0xa4dff0a2",
    "stopped()": "0x75f12b21",
    "peek()": "0x59e02dd7",
    "calc()": "0x96f1b6be",
    "buf()": "0x15232515",
    "tail()": "0x13d8c840",
    "cusp()": "0x49ed5931",
    "chip()": "0xb61500e4",
    "tip()": "0x2755cd2d",
    "chost()": "0xba2cdc75",
    "tau()": "0xcfc4af55",
    "cut()": "0xe6fd604c",
    "step()": "0xe25fe175",
    "price(uint256,uint256)": "0x487a2395",
    "dai(address)": "0x6c25b346",
    "sin(address)": "0xf059212a",
    "Sin()": "0xd0adc35f",
    "Ash()": "0x2a1d2b3c",
    "drip(bytes32)": "0x44e2a5a8",
    "hope(address)": "0xa3b22fc4",
    "take(uint256,uint256,uint256,address,bytes)": "0x81a794cb",
    "redo(uint256,address)": "0xd843416d",
    "bark(bytes32,address,address)": "0xed998908",
    "exit(address,uint256)": "0xef693bed",
    "join(address,uint256)": "0x3b4da69f",
    "poke()": "0x18178358",
    "poke(bytes32)": "0x1504460f",
}


def call(to: Address, signature: str, *arguments: Address | int) -> Read:
    """A view call with static arguments."""
    return view_call(to, SELECTORS[signature], *arguments)


def calldata(signature: str, *words: Address | int) -> bytes:
    """What is sent to a contract, word by word."""
    return bytes.fromhex(call(ZERO_ADDRESS, signature, *words).data[2:])
