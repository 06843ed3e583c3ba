# pragma version 0.4.3
"""
@title A price feed that is told by reports, and a forwarder of them
@notice Law: the answer is the middle observation of the last report, as OCR aggregators take it; signatures are not
    looked at. For tests on a local chain only.
"""

event AnswerUpdated:
    current: indexed(int256)
    roundId: indexed(uint256)
    updatedAt: uint256

MOST: constant(uint256) = 31

decimals: public(uint8)
latestAnswer: public(int256)
latestRound: public(uint256)
latestTimestamp: public(uint256)


@deploy
def __init__(decimals: uint8, answer: int256):
    self.decimals = decimals
    self._answer(answer)


@internal
def _answer(answer: int256):
    self.latestAnswer = answer
    self.latestRound += 1
    self.latestTimestamp = block.timestamp
    log AnswerUpdated(current=answer, roundId=self.latestRound, updatedAt=block.timestamp)


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    number: uint80 = convert(self.latestRound, uint80)
    return number, self.latestAnswer, self.latestTimestamp, self.latestTimestamp, number


@external
def transmitSecondary(
    context: bytes32[3], report: Bytes[1280], rs: DynArray[bytes32, MOST], ss: DynArray[bytes32, MOST], vs: bytes32
):
    observed: uint32 = 0
    observers: bytes32 = empty(bytes32)
    seen: DynArray[int192, MOST] = []
    juels: int192 = 0
    observed, observers, seen, juels = abi_decode(report, (uint32, bytes32, DynArray[int192, MOST], int192))
    self._answer(convert(seen[len(seen) // 2], int256))


@external
def forward(to: address, data: Bytes[4096]):
    raw_call(to, data)
