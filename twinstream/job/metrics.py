"""The job's metrics, under the loop's names where the meaning is the loop's.

They go out through Flink's own reporters, which put the operator's scope before each name; `deploy/prometheus` takes
it away again, so that one dashboard shows either runtime. Flink's Python metrics have whole numbers only, and no
histograms: a histogram is made of counters here, one for each `le`, as Prometheus makes them.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twinstream.core.feature_group import FeatureGroup
from twinstream.core.partition import Applied
from twinstream.log.contract import Record
from twinstream.metrics import BATCH_BUCKETS, END_TO_END_BUCKETS


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

    def processed(self, group: FeatureGroup, applied: Applied[Any], records: Sequence[Record], seconds: float) -> None:
        """A batch of one partition has been processed, in so much time."""
        self._count("twinstream_events_total", len(applied.features), group=group.name, outcome="accepted")
        self._count("twinstream_events_total", len(applied.dead_letters), group=group.name, outcome="dead_letter")
        for letter in applied.dead_letters:
            self._count("twinstream_dead_letters_total", 1, topic=letter.topic, reason=letter.reason)
        self._observe("twinstream_batch_seconds", BATCH_BUCKETS, 1, lambda le: 1 if seconds <= le else 0)
        now_ms, timestamps = self._now_ms(), sorted(record.timestamp for record in records)
        self._observe(
            "twinstream_end_to_end_seconds",
            END_TO_END_BUCKETS,
            len(timestamps),
            lambda le: len(timestamps) - bisect_left(timestamps, now_ms - le * 1000),
        )

    def ahead(self, topic: str, partition: int, newest_event_time_ms: int | None, newest_record_ms: int) -> None:
        """How far a partition's newest event is ahead of its newest record, in whole seconds."""
        if newest_event_time_ms is None:
            return
        seconds = (newest_event_time_ms - newest_record_ms) // 1_000
        self._set("twinstream_event_time_ahead_seconds", seconds, topic=topic, partition=str(partition))

    def producer_timed(self, topic: str, is_so: bool) -> None:
        """Whether a source topic keeps its producers' timestamps."""
        self._set("twinstream_source_producer_timed", int(is_so), topic=topic)

    def state(self, cached_entities: int, conflicts: int) -> None:
        """How many entities lie in memory, and how many writes met features of another partition."""
        self._set("twinstream_cached_entities", cached_entities)
        self._set("twinstream_entities_in_two_partitions_total", conflicts)

    def position(self, topic: str, partition: int, next_offset: int) -> None:
        """How far the subtask has got in a partition."""
        self._set("twinstream_next_offset", next_offset, topic=topic, partition=str(partition))

    def lag(self, topic: str, partition: int, behind: int) -> None:
        """How many records of a partition are still to come."""
        self._set("twinstream_consumer_lag", behind, topic=topic, partition=str(partition))

    def redis(self, up: bool) -> None:
        """Whether Redis answered last time."""
        self._set("twinstream_redis_up", int(up))

    def kafka(self, up: bool) -> None:
        """Whether Kafka answered last time."""
        self._set("twinstream_kafka_up", int(up))

    def repopulating(self, partitions: int) -> None:
        """Of how many partitions Redis has lost features, which it is about to get again."""
        self._set("twinstream_partitions_repopulating", partitions)

    def _set(self, name: str, value: int, **labels: str) -> None:
        """A gauge, made of a counter that goes up and down."""
        place = (name, *labels.values())
        self._count(name, value - self._gauges.get(place, 0), **labels)
        self._gauges[place] = value

    def _observe(self, name: str, buckets: Sequence[float], total: int, within: Callable[[float], int]) -> None:
        for le in buckets:
            self._count(f"{name}_bucket", within(le), le=str(le))
        self._count(f"{name}_bucket", total, le="+Inf")
        self._count(f"{name}_count", total)

    def _count(self, name: str, by: int, **labels: str) -> None:
        place = (name, *labels.values())
        counter = self._counters.get(place)
        if counter is None:
            group = self._group
            for label, value in labels.items():
                group = group.add_group(label, value)
            counter = self._counters[place] = group.counter(name)
            counter.inc(by)  # even by 0: in process mode Flink hears of a counter when it is counted up
        elif by:
            counter.inc(by)
