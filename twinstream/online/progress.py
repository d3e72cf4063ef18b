"""How far a partition has been written, and what anyone can ask of that without a claim."""

from typing import NamedTuple

from twinstream.core.lateness import NOTHING_SEEN, LatenessState
from twinstream.online.keys import Keys, Partition
from twinstream.online.pipeline import Pipe


class Progress(NamedTuple):
    """How far a partition has been written: the next offset, and what the lateness rule knows of the records before."""

    next_offset: int
    lateness: LatenessState


def decoded(offset: bytes | None, lateness: bytes | None) -> Progress | None:
    """Progress as it is stored; None when there is none."""
    if offset is None:
        return None
    return Progress(int(offset), NOTHING_SEEN if lateness is None else lateness_of(lateness.decode()))


def lateness_text(state: LatenessState) -> str:
    """A state of the lateness rule for Redis: the newest event time, and the rest where producers stamp the records.

    >>> [lateness_text(LatenessState(*each)) for each in ((), (9_000,), (9_000, 60_000, 2, 61_000), (None, 5, 1, 5))]
    ['', '9000', '9000,60000,2,61000', ',5,1,5']
    """
    numbers = state[:1] if state.unvouched_ms is None else state
    return ",".join("" if number is None else str(number) for number in numbers)


def lateness_of(text: str) -> LatenessState:
    """The state from its text.

    >>> lateness_of("9000,60000,2,61000")
    LatenessState(newest_ms=9000, run_oldest_ms=60000, run_length=2, unvouched_ms=61000)
    """
    newest, *rest = text.split(",")
    return LatenessState(int(newest) if newest else None, *map(int, rest))


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
