"""A partition of the job without Flink, against one uninterrupted pass of the loop over the same log."""

from random import Random
from typing import Any

import pytest

from tests.job.memory import MemoryJob, batches
from tests.loop.logs import mixed_messages
from tests.loop.outputs import SETTINGS, assert_same, replayed
from tests.reference import BY_TOPIC
from twinstream.job import keyed_partition
from twinstream.job.keyed_partition import OutOfOrder
from twinstream.log.contract import Record
from twinstream.log.topics import dead_letter_topic, feature_log_topic

TOPICS = list(BY_TOPIC)
LARGEST_CACHE = 50_000


def job_settings(**more: Any) -> dict[str, Any]:
    return SETTINGS | more


@pytest.fixture(scope="module")
def sources() -> dict[str, list[Record]]:
    """A log of one partition for each topic, a record every 30 ms or so."""
    logs: dict[str, list[Record]] = {topic: [] for topic in TOPICS}
    end_ms = 1_800_000_600_000
    for topic, message, _ in mixed_messages(end_ms=end_ms):
        log = logs[topic]
        key = message.key.encode() if message.key is not None else None
        log.append(Record(topic, 0, len(log), end_ms, key, message.value))
    return logs


@pytest.fixture(scope="module")
def expected(sources: dict[str, list[Record]]) -> dict[str, dict[str, Any]]:
    """What one uninterrupted pass makes of each topic."""
    everything = replayed(sources)
    parts = {}
    for topic, group in BY_TOPIC.items():
        own = {feature_log_topic(group.name).name, dead_letter_topic(topic).name}
        prefix = f"features:{group.name}:"
        parts[topic] = {name: kept for name, kept in everything.items() if name in own or name.startswith(prefix)}
    return parts


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize(("largest", "cache"), [(1, 3), (40, 5), (700, LARGEST_CACHE)])
def test_job_makes_what_the_loop_makes_however_the_log_is_cut(
    topic: str, largest: int, cache: int, sources: dict[str, list[Record]], expected: dict[str, dict[str, Any]]
) -> None:
    job = MemoryJob(topic, **job_settings(cache_entities=cache))
    job.run(sources[topic], Random(largest), largest)
    assert_same(job.outputs(), expected[topic])


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("seed", range(5))
def test_restored_job_makes_the_same_with_redis_ahead_of_it(
    topic: str, seed: int, sources: dict[str, list[Record]], expected: dict[str, dict[str, Any]]
) -> None:
    random = Random(seed)
    job = MemoryJob(topic, **job_settings(cache_entities=20))
    records, at = sources[topic], 0
    while at < len(records):
        kept, until = job.checkpoint(), min(len(records), at + random.randint(1, 400))
        job.run(records[at:until], random)
        if random.random() < 0.5:
            job.restore(*kept)
        else:
            at = until
    assert_same(job.outputs(), expected[topic])


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("seed", range(3))
def test_restored_job_makes_the_same_with_redis_behind_it(
    topic: str, seed: int, sources: dict[str, list[Record]], expected: dict[str, dict[str, Any]]
) -> None:
    random = Random(seed)
    job = MemoryJob(topic, **job_settings(cache_entities=20))
    for batch in batches(sources[topic], random, 400):
        before = job.database.copy()
        job.process(batch)
        if random.random() < 0.3:
            job.database.set_back(before)
        job.restore(*job.checkpoint())
        if random.random() < 0.3:
            job.working.settle()
    job.working.settle()
    assert_same(job.outputs(), expected[topic])
    assert job.stored_offset == len(sources[topic])


@pytest.mark.parametrize("topic", TOPICS)
def test_redis_that_lost_everything_is_filled_again(
    topic: str, sources: dict[str, list[Record]], expected: dict[str, dict[str, Any]]
) -> None:
    job = MemoryJob(topic, **job_settings())
    half = len(sources[topic]) // 2
    job.run(sources[topic][:half], Random(1))
    job.database.clear()
    job.run(sources[topic][half:], Random(2))
    assert_same(job.outputs(), expected[topic])


def test_redis_that_lost_everything_is_filled_after_a_restore(
    sources: dict[str, list[Record]], expected: dict[str, dict[str, Any]]
) -> None:
    job = MemoryJob("transactions", **job_settings())
    records = sources["transactions"]
    job.run(records[:-1], Random(1))
    kept = job.checkpoint()
    job.database.clear()
    job.restore(*kept)
    job.run(records[-1:], Random(2))
    assert_same(job.outputs(), expected["transactions"])


def test_stale_copy_of_redis_is_brought_up_to_date(
    sources: dict[str, list[Record]], expected: dict[str, dict[str, Any]]
) -> None:
    job = MemoryJob("transactions", **job_settings())
    records = sources["transactions"]
    third = len(records) // 3
    job.run(records[:third], Random(1))
    saved = job.database.copy()
    job.run(records[third : 2 * third], Random(2))
    job.database.set_back(saved)
    job.run(records[2 * third :], Random(3))
    assert_same(job.outputs(), expected["transactions"])


def test_states_of_idle_entities_are_forgotten(sources: dict[str, list[Record]]) -> None:
    job = MemoryJob("transactions", **job_settings())
    job.run(sources["transactions"], Random(1))
    alive = {entity for entity, _ in job.store.all_features("transaction")}
    (own,) = job.read_as.groups
    assert set(job.keyed.entities) >= {f"{own.id}:/{entity}" for entity in alive}
    assert {key.partition("/")[2] for key in job.keyed.entities} == alive
    assert len(job.keyed.expiries) < 2 * len(alive)


def test_records_out_of_order_are_refused(sources: dict[str, list[Record]]) -> None:
    job = MemoryJob("transactions", **job_settings())
    first, second = sources["transactions"][:2]
    with pytest.raises(OutOfOrder, match="transactions-0: offset 0 came after 1"):
        job.working.process([second, first])


def test_a_row_for_the_sink_ends_with_the_record_that_fills_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed_partition, "ROW_BYTES", 1_000)
    job = MemoryJob("transactions", **job_settings(max_record_bytes=1))
    records = [
        Record("transactions", 0, number, 0, None, b"x" * size) for number, size in enumerate((10, 10, 2_000, 10))
    ]
    rows = list(job.working.rows(job.working.process(records)))
    assert [len(row.records) for row in rows] == [3, 1]
