# pragma version 0.4.3
"""
@title Many view calls in one
@notice Law: `aggregate3` is that of Multicall3, for calls of one address argument. For tests on a local chain only.
"""

MOST: constant(uint256) = 500
SIZE: constant(uint256) = 36
ANSWER: constant(uint256) = 256

struct Call:
    target: address
    allow_failure: bool
    data: Bytes[SIZE]

struct Answer:
    success: bool
    data: Bytes[ANSWER]


@external
@view
def aggregate3(calls: DynArray[Call, MOST]) -> DynArray[Answer, MOST]:
    answers: DynArray[Answer, MOST] = []
    for one: Call in calls:
        success: bool = False
        data: Bytes[ANSWER] = b""
        success, data = raw_call(
            one.target, one.data, max_outsize=ANSWER, is_static_call=True, revert_on_failure=False
        )
        assert success or one.allow_failure, "a call failed"
        answers.append(Answer(success=success, data=data))
    return answers
