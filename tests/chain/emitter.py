"""A node with logs on it: contracts that say what they are told, and a second, independent way to read them."""

from dataclasses import dataclass

from keeper.core.units import Address
from keeper.devnet.anvil import Anvil

ECHO = "0x60003560006000a1"  # LOG1 without data, its topic the first word of the calldata
REVERT = "0x60006000fd"
CELL = "0x36600f5760005460005260206000f35b60003560005500"  # asked without data: slot 0; told a word: slot 0 := word
SENDER = Address("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")


def address(i: int) -> Address:
    return Address(f"0x{0xE0000 + i:040x}")


@dataclass(frozen=True, slots=True)
class Emitter:
    """Echo contracts on one node."""

    node: Anvil
    addresses: tuple[Address, ...]

    def say(self, i: int, word: int) -> None:
        """One log of the i-th contract, in a transaction of its own; mined when the node mines."""
        self.tell(self.addresses[i], word)

    def tell(self, to: Address, word: int) -> None:
        call = {"from": SENDER, "to": to, "data": f"0x{word:064x}", "gas": hex(100_000)}
        self.node.rpc.rpc("eth_sendTransaction", call)

    def mine(self, blocks: int = 1) -> None:
        self.node.rpc.rpc("anvil_mine", hex(blocks))

    def head(self) -> int:
        return int(self.node.rpc.rpc("eth_blockNumber"), 16)

    def header(self, at: int | str = "latest") -> dict[str, str]:
        found: dict[str, str] = self.node.rpc.rpc("eth_getBlockByNumber", hex(at) if isinstance(at, int) else at, False)
        return found

    def truth(self, first: int, last: int) -> list[tuple[int, int, str]]:
        """Block, index and topic of every log, as the node itself says in one question."""
        ask = {"fromBlock": hex(first), "toBlock": hex(last), "address": list(self.addresses)}
        logs = self.node.rpc.rpc("eth_getLogs", ask)
        return [(int(log["blockNumber"], 16), int(log["logIndex"], 16), log["topics"][0]) for log in logs]


def emitter(node: Anvil, contracts: int = 3) -> Emitter:
    """Put the contracts there, and mine by hand from now on."""
    made = Emitter(node, tuple(address(i) for i in range(contracts)))
    for each in made.addresses:
        node.rpc.rpc("anvil_setCode", each, ECHO)
    node.rpc.rpc("evm_setAutomine", False)
    return made


def chatter(made: Emitter, blocks: int, per_block: int = 3) -> None:
    """Blocks with logs of every contract."""
    for block in range(blocks):
        for i in range(per_block):
            made.say((block + i) % len(made.addresses), block * 1_000 + i)
        made.mine()
