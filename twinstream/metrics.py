"""What is measured of a running worker: each metric's name, meaning and labels, once for both runtimes.

The loop makes Prometheus' metrics of them, the job Flink's, so that one dashboard shows either runtime.
"""

from typing import NamedTuple


class Metric(NamedTuple):
    """A metric as a scrape shows it: its name (a counter's ends in `_total`), what it says, and its labels."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()


BATCH_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
END_TO_END_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Upper bounds of the histograms' buckets, in seconds."""

CONSUMER_LAG = Metric(
    "twinstream_consumer_lag",
    "Records between the worker's position and the end of the partition.",
    ("topic", "partition"),
)
EVENT_TIME_AHEAD = Metric(
    "twinstream_event_time_ahead_seconds",
    "Newest event time of the partition minus the Kafka timestamp of its newest record. What is above 0 is a "
    "fast clock's doing, and makes correct events late earlier.",
    ("topic", "partition"),
)
PRODUCER_TIMED = Metric(
    "twinstream_source_producer_timed",
    "1 for a source topic whose records keep their producers' timestamps, else 0.",
    ("topic",),
)
EVENTS = Metric(
    "twinstream_events_total",
    "Input records by what became of them: accepted, dead_letter or replayed (applied again, silently).",
    ("group", "outcome"),
)
DEAD_LETTERS = Metric("twinstream_dead_letters_total", "Dead letters by reason.", ("topic", "reason"))
BATCH_SECONDS = Metric("twinstream_batch_seconds", "From a poll's return to the end of its commit, in seconds.")
END_TO_END_SECONDS = Metric(
    "twinstream_end_to_end_seconds",
    "From a record's Kafka timestamp until its features can be read in Redis, in seconds.",
)
CACHED_ENTITIES = Metric("twinstream_cached_entities", "Entities in the worker's memory.")
REBALANCES = Metric("twinstream_rebalances_total", "Times that partitions were assigned anew.")
RECOVERIES = Metric("twinstream_recoveries_total", "Times that the recovery path was taken, by cause.", ("cause",))
COMMIT_AGE = Metric("twinstream_commit_age_seconds", "Seconds since the last commit (since start before the first).")
SHARED_ENTITIES = Metric(
    "twinstream_entities_in_two_partitions_total",
    "Entities seen in more than one partition: a producer with another key.",
    ("group",),
)
RECORDS_DELETED = Metric(
    "twinstream_records_deleted_unprocessed_total",
    "Records that Kafka deleted before they were processed, and that the worker goes on without.",
    ("topic", "partition"),
)
REPOPULATING = Metric(
    "twinstream_partitions_repopulating", "Partitions of which Redis has lost features, which it is getting again."
)
REDIS_UP = Metric("twinstream_redis_up", "1 while Redis answers, else 0.")
KAFKA_UP = Metric("twinstream_kafka_up", "1 while Kafka answers, else 0.")
