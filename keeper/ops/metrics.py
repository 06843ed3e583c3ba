"""The status as Prometheus reads it.

Laws
- Nothing is counted here: every number is in ``Status``, and a scrape shows it as it is.
- One entry a metric. A name once published stays: dashboards and alert rules use it, and a test holds them to it.
- Amounts become floats of the native token here and nowhere else: they are for eyes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final, NamedTuple, TypeVar

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from keeper.core.units import WAD
from keeper.ops.ready import Hurdle, obstacles
from keeper.ops.status import BUCKETS, Status
from keeper.ops.values import Outcome, TaskState

Name = TypeVar("Name", bound=str)
Item = TypeVar("Item")
Labelled = Mapping[tuple[str, ...], float]


class One(NamedTuple):
    """A metric with one value."""

    name: str
    help: str
    read: Callable[[Status], float]


class Many(NamedTuple):
    """A metric with a value for each of its labels' values."""

    name: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[Status], Labelled]


def _native(wei: int) -> float:
    return wei / WAD


def _each(items: Mapping[Name, Item], read: Callable[[Item], float]) -> Labelled:
    return {(name,): read(item) for name, item in items.items()}


def _obstacles(status: Status) -> Labelled:
    found = {obstacle.hurdle for obstacle in obstacles(status)}
    return {(hurdle.value,): hurdle in found for hurdle in Hurdle}


GAUGES: Final = (
    One("keeper_ready", "1 when nothing is in the way of a liquidation.", lambda s: not obstacles(s)),
    One("keeper_caught_up", "1 when the books are at the head.", lambda s: s.caught_up),
    One("keeper_head_block", "Newest block of any endpoint.", lambda s: s.head),
    One("keeper_tip_block", "Block that the books are at.", lambda s: s.tip),
    One("keeper_tip_timestamp_seconds", "Timestamp of that block.", lambda s: s.tip_timestamp),
    One("keeper_lag_blocks", "Blocks between the head and the books.", lambda s: s.lag),
    One("keeper_silence_seconds", "Since the head moved.", lambda s: s.silence or 0.0),
    One("keeper_feeds", "Prices in use.", lambda s: s.feeds.total),
    One("keeper_feeds_stale", "Prices older than their feeds promise.", lambda s: len(s.feeds.stale)),
    One(
        "keeper_realised_net_native", "What landed liquidations brought, all costs paid.", lambda s: _native(s.realised)
    ),
    One("keeper_predicted_net_native", "What the same were to bring.", lambda s: _native(s.predicted)),
    One("keeper_loop_lag_seconds", "How late the event loop was, at worst in the last minute.", lambda s: s.loop_lag),
    One("keeper_start_time_seconds", "When this process began.", lambda s: s.started),
)

COUNTERS: Final = (
    One("keeper_gas_native_total", "Spent on gas and data fees.", lambda s: _native(s.gas)),
    One("keeper_bids_native_total", "Paid to builders.", lambda s: _native(s.bids)),
    One("keeper_reorgs_total", "Reorganisations undone and replayed.", lambda s: s.reorgs),
    One("keeper_drifts_total", "Accounts that differed from the chain's own view.", lambda s: s.drifts),
    One("keeper_clock_jumps_total", "Jumps of the wall clock.", lambda s: s.clock_jumps),
    One("keeper_log_lines_lost_total", "Log lines that could not be written.", lambda s: s.log_lost()),
    One("keeper_alerts_sent_total", "Messages that a service took.", lambda s: s.alerts_sent()),
    One("keeper_alerts_lost_total", "Messages that a service did not take.", lambda s: s.alerts_lost()),
)

GAUGE_TABLES: Final = (
    Many(
        "keeper_info",
        "1; what this is.",
        ("version", "mode", "chain_id"),
        lambda s: {(s.version, s.mode.value, str(s.chain_id)): 1},
    ),
    Many("keeper_obstacle", "1 while this is in the way of a liquidation.", ("hurdle",), _obstacles),
    Many("keeper_accounts", "Accounts by health factor.", ("health",), lambda s: _each(s.census.bands, float)),
    Many(
        "keeper_endpoint_up", "1 when it can be asked.", ("endpoint",), lambda s: _each(s.endpoints, lambda p: p.well)
    ),
    Many(
        "keeper_endpoint_latency_seconds",
        "Of its answers.",
        ("endpoint",),
        lambda s: _each(s.endpoints, lambda p: p.latency),
    ),
    Many(
        "keeper_endpoint_lag_blocks", "Behind the best.", ("endpoint",), lambda s: _each(s.endpoints, lambda p: p.lag)
    ),
    Many("keeper_relay_up", "1 when it takes submissions.", ("relay",), lambda s: _each(s.relays, lambda p: p.well)),
    Many("keeper_relay_latency_seconds", "Of its answers.", ("relay",), lambda s: _each(s.relays, lambda p: p.latency)),
    Many(
        "keeper_balance_native",
        "Of an account that pays for gas.",
        ("address",),
        lambda s: _each(s.purses, lambda p: _native(p.balance)),
    ),
    Many(
        "keeper_balance_minimum_native",
        "Below it the account is nearly empty.",
        ("address",),
        lambda s: _each(s.purses, lambda p: _native(p.minimum)),
    ),
    Many(
        "keeper_market_backing",
        "Of a market, in whole tokens: fund, deficit, losses shared out.",
        ("protocol", "market", "asset", "kind"),
        lambda s: s.backing(),
    ),
    Many("keeper_halted", "1 while this stops all sending.", ("by",), lambda s: _each(s.halted, bool)),
    Many(
        "keeper_task_up",
        "1 while it runs.",
        ("task",),
        lambda s: _each(s.tasks, lambda t: t.state is TaskState.RUNNING),
    ),
    Many(
        "keeper_queue_size", "Entries in a bounded queue.", ("queue",), lambda s: _each(s.queues, lambda size: size())
    ),
    Many(
        "keeper_skipped_accounts", "Accounts refused now, by reason.", ("reason",), lambda s: _each(s.refused(), float)
    ),
)

COUNTER_TABLES: Final = (
    Many(
        "keeper_opportunities_total",
        "Opportunities that came to an outcome.",
        ("outcome",),
        lambda s: {(outcome.value,): s.outcomes[outcome] for outcome in Outcome},
    ),
    Many("keeper_relay_answers_total", "What relays said to submissions.", ("relay", "answer"), lambda s: s.answers),
    Many("keeper_task_restarts_total", "Restarts.", ("task",), lambda s: _each(s.tasks, lambda t: t.restarts)),
)

STEPS: Final = "keeper_step_seconds"


class _Status(Collector):
    """Shows a status to a registry."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def describe(self) -> Iterable[Metric]:
        """Names are checked against a scrape of an empty status."""
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        status = self._status
        for one in GAUGES:
            yield GaugeMetricFamily(one.name, one.help, value=one.read(status))
        for one in COUNTERS:
            yield CounterMetricFamily(one.name, one.help, value=one.read(status))
        for family, tables in ((GaugeMetricFamily, GAUGE_TABLES), (CounterMetricFamily, COUNTER_TABLES)):
            for many in tables:
                metric = family(many.name, many.help, labels=many.labels)
                for labels, value in many.read(status).items():
                    metric.add_metric(labels, value)
                yield metric
        yield self._steps()

    def _steps(self) -> Metric:
        metric = HistogramMetricFamily(STEPS, "How long each step of a block's story took.", labels=("step",))
        bounds = (*map(str, BUCKETS), "+Inf")
        for name, steps in self._status.steps.items():
            buckets = list(zip(bounds, map(float, accumulate(steps.counts)), strict=True))
            metric.add_metric((name,), buckets, sum_value=steps.total)
        return metric


class Metrics:
    """A registry of our own: nothing that a library registers elsewhere shows up in it."""

    def __init__(self, status: Status) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Status(status))
        for build in (ProcessCollector, PlatformCollector, GCCollector):
            build(registry=self._registry)

    def scrape(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)
