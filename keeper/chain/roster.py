"""The endpoints in the order in which they are asked, and what is said when that changes.

Law: every setting aside, every return and every change of the endpoint in use is one log line; nothing else is.
"""

import time
from collections.abc import Sequence

from keeper.chain.endpoint import Endpoint
from keeper.chain.health import MARGIN, STICKY, Fault, Rules
from keeper.errors import EndpointsUnavailable, KeeperError, RpcError, WrongChain
from keeper.log import get_logger

_log = get_logger()


class Roster:
    """Who is usable, who is first."""

    def __init__(self, endpoints: Sequence[Endpoint], rules: Rules) -> None:
        self.endpoints = tuple(endpoints)
        self.faults: dict[str, Fault] = {}  # by name; absent: well
        self._rules = rules
        self._first: Endpoint | None = None
        self._met = False  # somebody was on the right chain: it is the right configuration, whatever happens later

    @property
    def well(self) -> list[Endpoint]:
        return [each for each in self.endpoints if each.name not in self.faults]

    def ranked(self) -> list[Endpoint]:
        """Usable endpoints, best first. Raises ``RpcError`` when all that are well asked to be left alone."""
        now = time.monotonic()
        usable = sorted((each for each in self.well if not each.record.resting(now)), key=lambda e: e.record.score)
        if not usable:
            raise RpcError("every endpoint asked for a pause", transient=True) if self.well else self.unavailable()
        self._elect(usable)
        return sorted(usable, key=lambda each: each is not self._first)  # stable: the rest stays by score

    def failed(self, endpoint: Endpoint, error: RpcError) -> None:
        """Count a failure; several in a row set the endpoint aside until a probe finds it well."""
        endpoint.record.failed()
        if endpoint.record.failures >= self._rules.max_failures and endpoint.name not in self.faults:
            self._set_aside(endpoint, Fault.FAILING, error.message)

    def judged(self, endpoints: Sequence[Endpoint], verdicts: Sequence[Fault | None]) -> None:
        """Take the verdicts of a probe."""
        for endpoint, fault in zip(endpoints, verdicts, strict=True):
            known = self.faults.get(endpoint.name)
            if fault is not None and fault is not known:
                self._set_aside(endpoint, fault, "")
            elif fault is None and known is not None:
                del self.faults[endpoint.name]
                endpoint.record.failures = 0
                _log.info("rpc.restored", endpoint=endpoint.name, reason=known.value)

        self._met = self._met or bool(self.well)

    def unavailable(self) -> KeeperError:
        """The error that says why nobody is left."""
        why = "; ".join(f"{name}: {fault.value}" for name, fault in self.faults.items())
        if not self._met and set(self.faults.values()) == {Fault.WRONG_CHAIN}:
            return WrongChain(f"no endpoint is on chain {self._rules.chain_id} ({why})")
        return EndpointsUnavailable(f"no endpoint can be used ({why})")

    def _set_aside(self, endpoint: Endpoint, fault: Fault, error: str) -> None:
        self.faults[endpoint.name] = fault
        _log.warning(
            "rpc.degraded",
            endpoint=endpoint.name,
            reason=fault.value,
            lag=endpoint.record.lag,
            error_rate=round(endpoint.record.errors, 3),
            latency_s=round(endpoint.record.latency, 4),
            error=error,
        )

    def _elect(self, usable: Sequence[Endpoint]) -> None:
        """Stay with the endpoint in use unless another one is clearly better."""
        best, first = usable[0], self._first
        if first in usable and first is not None and first.record.score <= STICKY * best.record.score + MARGIN:
            return
        self._first = best
        if first is not None:
            fault = self.faults.get(first.name)
            _log.warning(
                "rpc.failover", **{"from": first.name, "to": best.name}, reason=fault.value if fault else "slow"
            )
