"""Slot numbers: keys that spread the source partitions evenly over Flink's subtasks.

Flink sends a key to the subtask that owns the key group `murmur(hash(key)) % max_parallelism`, and subtasks own ranges
of key groups. Hashing the bare numbers 0 to 3 puts all four into one half. So each partition gets a number chosen for
where it lands: the first, the second, the third ... partition land in the middle of 0, 1/2, 1/4, 3/4, 1/8, ... of the
key groups, which is even for any number of subtasks. A partition's number follows from the list of topics, its topic's
place in it and its own number. So it is the same after a rescale, and when partitions are added; another list of topics
gives other numbers.

A slot number is hashed twice, as the SQL window's key and as the keyed stage's; it is chosen to land alike both times.
"""

import struct
from collections.abc import Sequence
from itertools import count

MAX_PARALLELISM = 128
"""Key groups of the job; a savepoint can be restored with up to as many subtasks."""

PLANNED_PARTITIONS = 64
"""Partitions of each topic that get a number chosen for its place, whether or not there are as many yet.

A savepoint keeps a partition's state under its number. So a partition that was added while the job ran has to have the
number that it will have after a restart.
"""

_BINS = 16
_BITS32 = 0xFFFFFFFF


def slot_numbers(topics: Sequence[str], partitions: int) -> dict[tuple[str, int], int]:
    """A slot number for each of the first partitions of each topic.

    Args:
        topics: in an order that never changes.
        partitions: how many of each are wanted; more of them change nothing for the first.
    """
    numbers: dict[tuple[str, int], int] = {}
    free: dict[int, list[int]] = {landing: [] for landing in range(_BINS)}
    candidates = count()
    for index in range(len(topics) * partitions):
        landing = _bit_reversed(index % _BINS)
        while not free[landing]:
            candidate = next(candidates)
            landed = _lands_in(candidate)
            if landed is not None:
                free[landed].append(candidate)
        numbers[topics[index % len(topics)], index // len(topics)] = free[landing].pop(0)
    return numbers


def window_key_group(slot: int) -> int:
    """The key group of `GROUP BY slot` in Flink's SQL."""
    return _murmur(_binary_row_hash(slot)) % MAX_PARALLELISM


def stage_key_group(slot: int) -> int:
    """The key group of a DataStream keyed by a row of the slot."""
    return _murmur(62 + slot) % MAX_PARALLELISM  # 62 is what an insert row of one field adds


def _lands_in(slot: int) -> int | None:
    """The bin of both key groups, if they are in the same."""
    share = MAX_PARALLELISM // _BINS
    landed = window_key_group(slot) // share
    return landed if stage_key_group(slot) // share == landed else None


def _bit_reversed(index: int) -> int:
    """0, 1, 2, 3, ... as 0, 1/2, 1/4, 3/4, ... of the bins.

    >>> [_bit_reversed(index) for index in range(4)]
    [0, 8, 4, 12]
    """
    return int(f"{index:04b}"[::-1], 2)


def _murmur(code: int) -> int:
    """Flink's `MathUtils.murmurHash`."""
    mixed = _signed(_finish(_step(0, code) ^ 4))
    return abs(mixed) if mixed != -(2**31) else 0


def _binary_row_hash(value: int) -> int:
    """The hash of Flink's `BinaryRowData` with one INT field: a header word and a value word of eight bytes each."""
    mixed = 42
    for word in struct.unpack("<4i", struct.pack("<qq", 0, value)):
        mixed = _step(mixed, word)
    return _signed(_finish(mixed ^ 16))


def _step(mixed: int, word: int) -> int:
    word = (word & _BITS32) * 0xCC9E2D51 & _BITS32
    word = _rotated(word, 15) * 0x1B873593 & _BITS32
    return (_rotated(mixed ^ word, 13) * 5 + 0xE6546B64) & _BITS32


def _finish(mixed: int) -> int:
    mixed ^= mixed >> 16
    mixed = mixed * 0x85EBCA6B & _BITS32
    mixed ^= mixed >> 13
    mixed = mixed * 0xC2B2AE35 & _BITS32
    return mixed ^ mixed >> 16


def _rotated(word: int, by: int) -> int:
    return (word << by | word >> 32 - by) & _BITS32


def _signed(word: int) -> int:
    return word - 2**32 if word >> 31 else word
