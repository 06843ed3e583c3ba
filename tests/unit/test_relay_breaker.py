"""The breaker as a state machine, against its law written as a model."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from keeper.executor.breaker import Breaker, State

LIMIT, COOLDOWN = 3, 10


class Law(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(LIMIT, COOLDOWN)
        self.now = 0.0
        self.failures = 0  # in a row
        self.closed_until: float | None = None  # None: closed

    @rule(seconds=st.integers(0, 25))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(ok=st.booleans())
    def request(self, *, ok: bool) -> None:
        allowed = self.closed_until is None or self.now >= self.closed_until
        assert self.breaker.allows(self.now) is allowed
        if not allowed:
            return
        trial = self.closed_until is not None
        self.breaker.record(ok=ok, now=self.now)
        self.failures = 0 if ok else self.failures + 1
        if ok:
            self.closed_until = None
        elif trial or self.failures >= LIMIT:
            self.closed_until = self.now + COOLDOWN

    @rule()
    def trial_without_answer(self) -> None:
        if self.closed_until is not None and self.now >= self.closed_until:
            assert self.breaker.allows(self.now)
            assert not self.breaker.allows(self.now)
            self.closed_until = self.now + COOLDOWN

    @invariant()
    def state_says_so(self) -> None:
        assert (self.breaker.state is State.CLOSED) is (self.closed_until is None)


TestBreaker = Law.TestCase
TestBreaker.settings = settings(max_examples=80, deadline=None)
