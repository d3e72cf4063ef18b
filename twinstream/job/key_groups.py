"""Keys that spread the partitions of each source topic evenly over Flink's subtasks.

Flink sends a key to the subtask that owns the key's group, and subtasks own ranges of key groups. The group is a hash
of the key: of the bare numbers 0 to 3 all four are in one half. So a key ends with a number, the salt, the first with
which it lands where it should: a topic's partitions land one after another in 0, 1/2, 1/4, 3/4, 1/8, ... of the key
groups, counted from a place that the topic and its epoch give. That is even for any number of subtasks.

The key of a partition depends on its topic, the topic's epoch and its own number alone. It is the same after a rescale,
when partitions are added, and whatever other topics the job reads.
"""

from collections.abc import Callable
from itertools import count

from twinstream.job.sources import PartitionKey

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


def placed_keys(source: str, key_group: KeyGroup) -> list[str]:
    """The keys of a topic's planned partitions, by number.

    Args:
        source: the topic's `SourceTopic.id`.
        key_group: of the operator that will have the keys.
    """
    return [_placed(PartitionKey(source, number), key_group) for number in range(PLANNED_PARTITIONS)]


def _placed(key: PartitionKey, key_group: KeyGroup) -> str:
    place = _bit_reversed((int(key.source, 16) + key.number) % BINS)
    salted = (key.text(salt) for salt in count())
    return next(text for text in salted if key_group(text) * BINS // MAX_PARALLELISM == place)


def _bit_reversed(index: int) -> int:
    """0, 1, 2, 3, ... as 0, 1/2, 1/4, 3/4, ... of the bins.

    >>> [_bit_reversed(index) for index in range(4)]
    [0, 8, 4, 12]
    """
    return int(f"{index:04b}"[::-1], 2)
