"""Keys that spread the partitions of each source topic evenly over Flink's subtasks.

Flink sends a key to the subtask that owns the key's group, and subtasks own ranges of key groups. The group is a hash
of the key: of the bare numbers 0 to 3 all four are in one half. So a key ends with a number, the salt, the first with
which it lands where it should: a topic's partitions land one after another in 0, 1/2, 1/4, 3/4, 1/8, ... of the key
groups, counted from a place that the topic gives. That is even for any number of subtasks.

The stage's key of a partition depends on its topic, Kafka's id of that and its own number alone. It is the same after a
rescale, when partitions are added, when another group reads the topic, and whatever other topics the job reads.
"""

from collections.abc import Callable
from itertools import count

from twinstream.job.sources import PartitionKey, SourceTopic

MAX_PARALLELISM = 128
"""Key groups of the job; a savepoint can be restored with up to as many subtasks."""

PLANNED_PARTITIONS = 32
"""Partitions of each topic whose keys are chosen for their place, whether or not there are as many yet.

A savepoint keeps a partition's state under its key. So a partition that was added while the job ran has to have the key
that it will have after a restart. Those beyond have keys without salt.
"""

BINS = 16
"""Parts of the key groups that are told apart."""

KeyGroup = Callable[[str], int]
"""The key group of a key, from 0 to `MAX_PARALLELISM` - 1, as Flink says."""


def window_keys(source: SourceTopic, key_group: KeyGroup) -> list[str]:
    """The keys of a topic's planned partitions, by number, under which the window collects its records.

    They are of these groups' reading alone: records in a window that another reading left open are found by nobody.

    Args:
        source: the topic.
        key_group: of the window.
    """
    return _placed_keys(source.reading, source, key_group)


def stage_keys(source: SourceTopic, key_group: KeyGroup) -> list[str]:
    """The keys of the same partitions under which the stage keeps their state. Each lies in the bin of the window's.

    Args:
        source: the topic.
        key_group: of the stage.
    """
    return _placed_keys(source.id, source, key_group)


def _placed_keys(first: str, source: SourceTopic, key_group: KeyGroup) -> list[str]:
    begin = int(source.id, 16)
    return [
        _placed(PartitionKey(first, number), _bit_reversed((begin + number) % BINS), key_group)
        for number in range(PLANNED_PARTITIONS)
    ]


def _placed(key: PartitionKey, place: int, key_group: KeyGroup) -> str:
    salted = (key.text(salt) for salt in count())
    return next(text for text in salted if key_group(text) * BINS // MAX_PARALLELISM == place)


def _bit_reversed(index: int) -> int:
    """0, 1, 2, 3, ... as 0, 1/2, 1/4, 3/4, ... of the bins.

    >>> [_bit_reversed(index) for index in range(4)]
    [0, 8, 4, 12]
    """
    return int(f"{index:04b}"[::-1], 2)
