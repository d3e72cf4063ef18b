"""Progress as Redis has it: the offset, and the lateness rule's state as text."""

from twinstream.core.lateness import NOTHING_SEEN, LatenessState
from twinstream.online.contract import Progress


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
