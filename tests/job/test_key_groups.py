"""Where the keys of partitions land, whoever reads their topic and whatever else the job reads."""

from collections import Counter
from collections.abc import Callable
from hashlib import sha256

import pytest

from twinstream.job import sql
from twinstream.job.key_groups import BINS, MAX_PARALLELISM, PLANNED_PARTITIONS, KeyGroup, stage_keys, window_keys
from twinstream.job.sources import PartitionKey, SourceGroup, SourceTopic

Keys = Callable[[SourceTopic, KeyGroup], list[str]]


def source(topic: str, *groups: str, topic_id: str = "id", partitions: int = 4) -> SourceTopic:
    """A topic and the groups that read it."""
    readers = (SourceGroup(topic, group, f"{topic_id}:epoch") for group in groups or ("group",))
    return SourceTopic(topic, topic_id, partitions, tuple(readers))


TOPICS = [source(name) for name in ("transactions", "orders", "clickstream", "logins", "a.b-c_d")]
either = pytest.mark.parametrize("keys_of", [window_keys, stage_keys])


def any_hash(key: str) -> int:
    """Some key group, as a hash gives one."""
    return int.from_bytes(sha256(key.encode()).digest()[:4]) % MAX_PARALLELISM


@either
@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
@pytest.mark.parametrize(("partitions", "parallelism"), [(2, 2), (4, 2), (4, 4), (8, 4), (8, 8), (16, 16), (32, 8)])
def test_partitions_of_a_topic_are_spread_evenly_over_the_subtasks(
    topic: SourceTopic, partitions: int, parallelism: int, keys_of: Keys
) -> None:
    keys = keys_of(topic, any_hash)[:partitions]
    subtasks = Counter(any_hash(key) * parallelism // MAX_PARALLELISM for key in keys)
    assert set(subtasks.values()) == {partitions // parallelism}


@pytest.mark.parametrize(
    "key_group", [lambda key: 127 - any_hash(key), any_hash], ids=["of the window", "of the stage"]
)
def test_a_key_says_which_partition_it_is_of(key_group: KeyGroup) -> None:
    for topic in TOPICS:
        for keys, name in ((stage_keys(topic, key_group), topic.id), (window_keys(topic, key_group), topic.reading)):
            assert [PartitionKey.parse(key) for key in keys] == [
                PartitionKey(name, number) for number in range(PLANNED_PARTITIONS)
            ]


def test_a_micro_batch_goes_to_the_subtask_that_has_collected_it() -> None:
    for topic in TOPICS:
        pairs = zip(window_keys(topic, any_hash), stage_keys(topic, any_hash), strict=True)
        assert all(
            any_hash(window) * BINS // MAX_PARALLELISM == any_hash(key) * BINS // MAX_PARALLELISM
            for window, key in pairs
        )


@either
def test_topics_and_lives_of_a_topic_share_no_key(keys_of: Keys) -> None:
    topics = [*TOPICS, *(source(topic.name, topic_id="another") for topic in TOPICS)]
    assert len({key for topic in topics for key in keys_of(topic, any_hash)}) == 10 * PLANNED_PARTITIONS


def test_a_group_more_leaves_the_stages_keys_and_gives_the_window_others() -> None:
    alone, together = source("orders", "order"), source("orders", "order", "refund")
    assert stage_keys(alone, any_hash) == stage_keys(together, any_hash)
    assert not set(window_keys(alone, any_hash)) & set(window_keys(together, any_hash))


def test_a_partition_added_while_the_job_runs_has_the_key_it_has_after_a_restart() -> None:
    """The key is in the query from the start, whatever the number of partitions then; a savepoint's key is it."""
    (before, after) = (source("orders", partitions=partitions) for partitions in (4, 20))
    keys = window_keys(before, any_hash)
    assert window_keys(after, any_hash) == keys
    assert all(f"WHEN {number} THEN '{key}' " in sql.records_view({before: keys}) for number, key in enumerate(keys))


def test_a_partition_beyond_the_planned_ones_goes_by_the_stages_name_from_the_window_on() -> None:
    topic = source("orders")
    view, batches = sql.records_view({topic: []}), sql.micro_batches(100, {"a": "b"}, [topic])
    assert f"CONCAT('{topic.reading}.', CAST(source_partition AS STRING))" in view
    assert f"WHEN '{topic.reading}' THEN CONCAT('{topic.id}', SUBSTRING(window_key FROM 13))" in batches
