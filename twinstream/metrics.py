"""The loop's metrics, each named once; `deploy/grafana` shows them and `twinstream.health` serves them."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BATCH_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
END_TO_END_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class LoopMetrics:
    """The metrics of one worker, in a registry of their own.

    Update them once per batch, not once per event: a labelled child costs about a microsecond to find.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.consumer_lag = Gauge(
            "twinstream_consumer_lag",
            "Records between the worker's position and the end of the partition.",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.event_time_ahead = Gauge(
            "twinstream_event_time_ahead_seconds",
            "Newest event time of the partition minus the Kafka timestamp of its newest record. What is above 0 is a "
            "fast clock's doing, and makes correct events late earlier.",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.producer_timed = Gauge(
            "twinstream_source_producer_timed",
            "1 for a source topic whose records keep their producers' timestamps, else 0.",
            ["topic"],
            registry=self.registry,
        )
        self.events = Counter(
            "twinstream_events",
            "Input records by what became of them: accepted, dead_letter or replayed (applied again, silently).",
            ["group", "outcome"],
            registry=self.registry,
        )
        self.dead_letters = Counter(
            "twinstream_dead_letters", "Dead letters by reason.", ["topic", "reason"], registry=self.registry
        )
        self.batch_seconds = Histogram(
            "twinstream_batch_seconds",
            "From a poll's return to the end of its commit, in seconds.",
            buckets=BATCH_BUCKETS,
            registry=self.registry,
        )
        self.end_to_end_seconds = Histogram(
            "twinstream_end_to_end_seconds",
            "From a record's Kafka timestamp until its features can be read in Redis, in seconds.",
            buckets=END_TO_END_BUCKETS,
            registry=self.registry,
        )
        self.cached_entities = Gauge(
            "twinstream_cached_entities", "Entities in the worker's memory.", registry=self.registry
        )
        self.rebalances = Counter(
            "twinstream_rebalances", "Times that partitions were assigned anew.", registry=self.registry
        )
        self.recoveries = Counter(
            "twinstream_recoveries",
            "Times that the recovery path was taken, by cause.",
            ["cause"],
            registry=self.registry,
        )
        self.commit_age = Gauge(
            "twinstream_commit_age_seconds",
            "Seconds since the last commit (since start before the first).",
            registry=self.registry,
        )
        self.shared_entities = Counter(
            "twinstream_entities_in_two_partitions",
            "Entities seen in more than one partition: a producer with another key.",
            ["group"],
            registry=self.registry,
        )
        self.records_deleted = Counter(
            "twinstream_records_deleted_unprocessed",
            "Records that Kafka deleted before they were processed, and that the worker goes on without.",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.repopulating = Gauge(
            "twinstream_partitions_repopulating",
            "Partitions of which Redis has lost features, which it is getting again.",
            registry=self.registry,
        )
        self.redis_up = Gauge("twinstream_redis_up", "1 while Redis answers, else 0.", registry=self.registry)
        self.kafka_up = Gauge("twinstream_kafka_up", "1 while Kafka answers, else 0.", registry=self.registry)
        self._last_commit = time.monotonic()
        self.commit_age.set_function(lambda: time.monotonic() - self._last_commit)

    def committed(self) -> None:
        """Note that a commit has just ended."""
        self._last_commit = time.monotonic()

    def forget_partition(self, topic: str, partition: int) -> None:
        """Stop reporting where a partition stands that another worker now reads. What was counted stays."""
        for gauge in (self.consumer_lag, self.event_time_ahead):
            gauge.remove(topic, str(partition))

    def names(self) -> frozenset[str]:
        """Every series name that a scrape can show, for checking dashboards against."""
        found: set[str] = set()
        for metric in self.registry.collect():
            suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(metric.type, ("",))
            found.update(metric.name + suffix for suffix in suffixes)
        return frozenset(found)
