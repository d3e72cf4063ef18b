"""Where the keys of partitions land, whatever else the job reads, and that Flink says so."""

from collections import Counter
from hashlib import sha256

import pytest

from twinstream.job import sql
from twinstream.job.key_groups import MAX_PARALLELISM, PLANNED_PARTITIONS, KeyGroup, placed_keys
from twinstream.job.sources import PartitionKey, SourceTopic

TOPICS = [SourceTopic(name, "epoch", 4) for name in ("transactions", "orders", "clickstream", "logins", "a.b-c_d")]


def any_hash(key: str) -> int:
    """Some key group, as a hash gives one."""
    return int.from_bytes(sha256(key.encode()).digest()[:4]) % MAX_PARALLELISM


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
@pytest.mark.parametrize(("partitions", "parallelism"), [(2, 2), (4, 2), (4, 4), (8, 4), (8, 8), (16, 16), (32, 8)])
def test_partitions_of_a_topic_are_spread_evenly_over_the_subtasks(
    topic: SourceTopic, partitions: int, parallelism: int
) -> None:
    keys = placed_keys(topic.id, any_hash)[:partitions]
    subtasks = Counter(any_hash(key) * parallelism // MAX_PARALLELISM for key in keys)
    assert set(subtasks.values()) == {partitions // parallelism}


@pytest.mark.parametrize(
    "key_group", [lambda key: 127 - any_hash(key), any_hash], ids=["of the window", "of the stage"]
)
def test_a_key_says_which_partition_it_is_of(key_group: KeyGroup) -> None:
    for topic in TOPICS:
        keys = placed_keys(topic.id, key_group)
        assert [PartitionKey.parse(key) for key in keys] == [
            PartitionKey(topic.id, number) for number in range(PLANNED_PARTITIONS)
        ]


def test_topics_and_epochs_share_no_key() -> None:
    topics = [*TOPICS, *(SourceTopic(topic.name, "another epoch", 4) for topic in TOPICS)]
    assert len({key for topic in topics for key in placed_keys(topic.id, any_hash)}) == 10 * PLANNED_PARTITIONS


def test_a_partition_added_while_the_job_runs_has_the_key_it_has_after_a_restart() -> None:
    """The key is in the query from the start, whatever the number of partitions then; a savepoint's key is it."""
    (before, after) = (SourceTopic("orders", "epoch", partitions) for partitions in (4, 20))
    keys = placed_keys(before.id, any_hash)
    assert placed_keys(after.id, any_hash) == keys
    assert all(f"WHEN {number} THEN '{key}' " in sql.records_view({before: keys}) for number, key in enumerate(keys))
