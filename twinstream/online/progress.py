"""How far a partition has been written, and what anyone can ask of that without a claim."""

from typing import NamedTuple

from twinstream.online.keys import Keys, Partition
from twinstream.online.pipeline import Pipe


class Progress(NamedTuple):
    """How far a partition has been written: the next offset, and the newest event time before it in ms."""

    next_offset: int
    max_event_time_ms: int | None


def decoded(offset: bytes | None, newest_ms: bytes | None) -> Progress | None:
    """Progress as it is stored; None when there is none."""
    if offset is None:
        return None
    return Progress(int(offset), None if newest_ms is None else int(newest_ms))


def has_lost(pipe: Pipe, namespace: str, partition: Partition, epoch: str, reached: Progress) -> bool:
    """Whether Redis has less of a partition than it had; not so when it has what another epoch wrote.

    Raises:
        StoreUnavailable: Redis does not answer.
    """
    key = Keys.of(namespace, partition).progress
    ((stored_epoch, offset),) = pipe.run([("HMGET", key, "epoch", "offset")])
    if stored_epoch is not None and stored_epoch != epoch.encode():
        return False
    return int(offset or 0) < reached.next_offset
