"""The job's metrics, each as `twinstream.metrics` declares it.

They go out through Flink's own reporters, which put the operator's scope before each name; `deploy/prometheus` takes
it away again, so that one dashboard shows either runtime. Flink's Python metrics have whole numbers only, and no
histograms: a histogram is made of counters here, one for each `le`, as Prometheus makes them.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from twinstream import metrics
from twinstream.core.partition import Applied
from twinstream.log.contract import Record
from twinstream.metrics import Metric

NEXT_OFFSET = Metric(
    "twinstream_next_offset",
    "Offset after the last record of the partition that was processed; `FlinkRest` asks for it.",
    ("topic", "partition"),
)

SHARED_ENTITIES = metrics.SHARED_ENTITIES._replace(labels=())  # of all groups together


class Counts(Protocol):
    """A counter of Flink's."""

    def inc(self, n: int = 1) -> None: ...


class MetricGroup(Protocol):
    """As far as Flink's metric groups are used here."""

    def add_group(self, name: str, extra: str | None = None) -> "MetricGroup": ...
    def counter(self, name: str) -> Any: ...


class StageMetrics:
    """What one subtask has done."""

    def __init__(self, group: MetricGroup, now_ms: Callable[[], float] = lambda: time.time() * 1000) -> None:
        self._group = group
        self._now_ms = now_ms
        self._counters: dict[tuple[str, ...], Counts] = {}
        self._gauges: dict[tuple[str, ...], int] = {}

    def processed(self, applied: Mapping[str, Applied[Any]], records: Sequence[Record], seconds: float) -> None:
        """A batch of one partition has been processed, in so much time, and brought that about by group."""
        for group, result in applied.items():
            self._count(metrics.EVENTS, len(result.features), group, "accepted")
            self._count(metrics.EVENTS, len(result.dead_letters), group, "dead_letter")
            for letter in result.dead_letters:
                self._count(metrics.DEAD_LETTERS, 1, letter.topic, letter.reason)
        self._observe(metrics.BATCH_SECONDS, metrics.BATCH_BUCKETS, 1, lambda le: 1 if seconds <= le else 0)
        now_ms, timestamps = self._now_ms(), sorted(record.timestamp for record in records)
        self._observe(
            metrics.END_TO_END_SECONDS,
            metrics.END_TO_END_BUCKETS,
            len(timestamps),
            lambda le: len(timestamps) - bisect_left(timestamps, now_ms - le * 1000),
        )

    def ahead(self, topic: str, partition: int, newest_event_time_ms: int | None, newest_record_ms: int) -> None:
        """How far a partition's newest event is ahead of its newest record, in whole seconds."""
        if newest_event_time_ms is None:
            return
        seconds = (newest_event_time_ms - newest_record_ms) // 1_000
        self._set(metrics.EVENT_TIME_AHEAD, seconds, topic, str(partition))

    def producer_timed(self, topic: str, is_so: bool) -> None:
        """Whether a source topic keeps its producers' timestamps."""
        self._set(metrics.PRODUCER_TIMED, int(is_so), topic)

    def state(self, cached_entities: int, conflicts: int) -> None:
        """How many entities lie in memory, and how many writes met features of another partition."""
        self._set(metrics.CACHED_ENTITIES, cached_entities)
        self._set(SHARED_ENTITIES, conflicts)

    def position(self, topic: str, partition: int, next_offset: int) -> None:
        """How far the subtask has got in a partition."""
        self._set(NEXT_OFFSET, next_offset, topic, str(partition))

    def lag(self, topic: str, partition: int, behind: int) -> None:
        """How many records of a partition are still to come."""
        self._set(metrics.CONSUMER_LAG, behind, topic, str(partition))

    def redis(self, up: bool) -> None:
        """Whether Redis answered last time."""
        self._set(metrics.REDIS_UP, int(up))

    def kafka(self, up: bool) -> None:
        """Whether Kafka answered last time."""
        self._set(metrics.KAFKA_UP, int(up))

    def repopulating(self, partitions: int) -> None:
        """Of how many partitions Redis has lost features, which it is about to get again."""
        self._set(metrics.REPOPULATING, partitions)

    def _set(self, metric: Metric, value: int, *labels: str) -> None:
        """A gauge, made of a counter that goes up and down."""
        place = (metric.name, *labels)
        self._count(metric, value - self._gauges.get(place, 0), *labels)
        self._gauges[place] = value

    def _observe(self, metric: Metric, buckets: Sequence[float], total: int, within: Callable[[float], int]) -> None:
        """A histogram, made of a counter for each bucket and one of all; `within` counts what is up to a bound."""
        in_bucket = Metric(f"{metric.name}_bucket", metric.meaning, ("le",))
        for le in buckets:
            self._count(in_bucket, within(le), str(le))
        self._count(in_bucket, total, "+Inf")
        self._count(Metric(f"{metric.name}_count", metric.meaning), total)

    def _count(self, metric: Metric, by: int, *labels: str) -> None:
        place = (metric.name, *labels)
        counter = self._counters.get(place)
        if counter is None:
            group = self._group
            for label, value in zip(metric.labels, labels, strict=True):
                group = group.add_group(label, value)
            counter = self._counters[place] = group.counter(metric.name)
            counter.inc(by)  # even by 0: in process mode Flink hears of a counter when it is counted up
        elif by:
            counter.inc(by)
