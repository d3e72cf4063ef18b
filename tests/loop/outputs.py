"""What a run leaves behind, how two runs are compared, and what the test driver makes of the same log."""

from typing import Any

from tests.reference import BY_TOPIC, REGISTRY
from twinstream.log.kafka import Record
from twinstream.log.topics import dead_letter_topic, feature_log_topic, output_topics
from twinstream.registry import Registry
from twinstream.testing import Driver

SETTINGS: dict[str, Any] = {
    "window_size_minutes": 1,
    "allowed_lateness_seconds": 10,
    "max_record_bytes": 16_384,
    "max_poll_records": 100,
}
"""Of every run unless it says otherwise: short windows, and some thirty batches for a log."""

FEATURE_LOGS = [feature_log_topic(group.name).name for group in BY_TOPIC.values()]
DEAD_LETTERS = [dead_letter_topic(topic).name for topic in BY_TOPIC]
OUTPUT_TOPICS = FEATURE_LOGS + DEAD_LETTERS

Outputs = dict[str, Any]
"""Feature logs and dead letters (partition, key, value; in order), and every `features:*` hash, by topic and key."""


def assert_same(actual: Outputs, expected: Outputs) -> None:
    """The same bytes everywhere; tells the first difference in one line, because the whole would fill a book."""
    assert actual.keys() == expected.keys(), (
        f"missing: {sorted(expected.keys() - actual.keys())[:5]}, "
        f"unexpected: {sorted(actual.keys() - expected.keys())[:5]}"
    )
    for name, wanted in expected.items():
        got = actual[name]
        if got == wanted:
            continue
        if isinstance(wanted, dict):
            fields = {field for field in wanted.keys() | got.keys() if got.get(field) != wanted.get(field)}
            raise AssertionError(f"{name}: " + ", ".join(f"{f!r} {got.get(f)!r} not {wanted.get(f)!r}" for f in fields))
        at = next((at for at, pair in enumerate(zip(got, wanted, strict=False)) if pair[0] != pair[1]), None)
        where = f"differ at {at}: {got[at]} not {wanted[at]}" if at is not None else "one is the other's beginning"
        raise AssertionError(f"{name}: {len(got)} records, expected {len(wanted)}; {where}")


def replayed(sources: dict[str, list[Record]], registry: Registry = REGISTRY, **settings: Any) -> Outputs:
    """What one uninterrupted pass makes of a log, in this process: the test driver on the log's own records."""
    partitions = 1 + max(record.partition for records in sources.values() for record in records)
    driver = Driver(registry, partitions=partitions, **(SETTINGS | settings))
    for topic, records in sources.items():
        for record in records:
            driver.now_ms = record.timestamp
            stamped_ms = None if record.append_timed else record.timestamp
            sent = driver.broker.append(topic, record.partition, record.key, record.value, stamped_ms=stamped_ms)
            assert sent.offset == record.offset
    driver.run()
    names = [topic.name for topic in output_topics(registry)]
    logs = {name: [line_of(record) for record in driver.broker.records(name)] for name in names}
    return logs | {key: kept for key, kept in driver.outputs().items() if key.startswith("features:")}


def line_of(record: Record) -> tuple[int, bytes | None, bytes | None]:
    return record.partition, record.key, record.value
