"""The lateness rule: decided by the data of one partition alone, never by a clock or by another partition."""

from typing import NamedTuple

from twinstream.core.rejection import Rejected

BEGINNING_MS = -(2**62)
"""Before any time: the watermark of a partition in which nothing has been seen yet."""

EARLIEST_TIMESTAMP_MS = 946_684_800_000
"""The year 2000: a Kafka timestamp before it is missing (-1 or 0), or in seconds."""

RUN_LENGTH = 10
"""So many records in a row, each further ahead than a clock may be, are believed: it is later than was known."""


class LatenessState(NamedTuple):
    """All that the rule knows of the records before.

    Attributes:
        newest_ms: the newest event time that is believed; None before the first.
        run_oldest_ms, run_length: the records before this one that were ahead of it, in a row: the oldest of their
            event times, and how many they are. Only records with a producer's timestamp make a run.
        unvouched_ms: the newest event time of an accepted record with a producer's timestamp; None where none had one.
    """

    newest_ms: int | None = None
    run_oldest_ms: int = 0
    run_length: int = 0
    unvouched_ms: int | None = None


NOTHING_SEEN = LatenessState()
"""Of a partition before its first record."""


class LatenessRule:
    """The rule for one source partition.

    `watermark = newest believed event time of earlier records - allowed lateness`. A record older than the watermark is
    late. A record whose event time is further ahead of its Kafka timestamp than the allowed skew comes from a bad
    clock: it is set aside and moves nothing.

    >>> rule = LatenessRule(allowed_lateness_ms=30_000, max_future_skew_ms=30_000)
    >>> rule.observe(event_time_ms=100_000, timestamp_ms=100_000)
    >>> rule.watermark_ms
    70000
    >>> rule.observe(event_time_ms=69_999, timestamp_ms=100_001)
    Traceback (most recent call last):
    twinstream.core.rejection.Rejected: late: 1 ms older than the watermark

    Where the broker stamps the records, an accepted event is believed. A producer's timestamp vouches for nothing: it
    is of the clock that the event time is of. There, an event time is believed when it is at most the allowed skew
    ahead of what is; further ahead, when RUN_LENGTH records in a row are, and then the oldest of their times is. So one
    fast clock among others makes nobody late, and after a quiet night it takes a few records to go on.

    >>> rule.observe(event_time_ms=3_100_000, timestamp_ms=3_100_000, append_timed=False)
    >>> rule.watermark_ms
    70000
    """

    __slots__ = (
        "_lateness_ms",
        "_run_length",
        "_run_oldest_ms",
        "_skew_ms",
        "_unvouched_ms",
        "newest_ms",
        "watermark_ms",
    )

    def __init__(self, allowed_lateness_ms: int, max_future_skew_ms: int, state: LatenessState = NOTHING_SEEN) -> None:
        self._lateness_ms = allowed_lateness_ms
        self._skew_ms = max_future_skew_ms
        self.newest_ms, self._run_oldest_ms, self._run_length, self._unvouched_ms = state
        self.watermark_ms = BEGINNING_MS if self.newest_ms is None else self.newest_ms - allowed_lateness_ms

    @property
    def state(self) -> LatenessState:
        """What a rule that continues after the same records has to know."""
        return LatenessState(self.newest_ms, self._run_oldest_ms, self._run_length, self._unvouched_ms)

    def observe(self, event_time_ms: int, timestamp_ms: int, append_timed: bool = True) -> None:
        """Check one record, then let it move the watermark.

        Args:
            event_time_ms: when it happened.
            timestamp_ms: its Kafka timestamp.
            append_timed: whether that is when the broker appended it to the log, and not what a producer says.

        Raises:
            Rejected: `future` or `late`; such a record moves nothing, and neither makes nor ends a run.
        """
        ahead_ms = event_time_ms - timestamp_ms
        if ahead_ms > self._skew_ms:
            if timestamp_ms < EARLIEST_TIMESTAMP_MS:
                raise Rejected("future", f"nobody vouches for it: {timestamp_ms} is no Kafka timestamp in ms")
            raise Rejected("future", f"{ahead_ms} ms ahead of the log, {self._skew_ms} allowed")
        newest_ms = self.newest_ms
        if not append_timed and (newest_ms is None or event_time_ms - newest_ms > self._skew_ms):
            self._note_unvouched(event_time_ms)
            self._lengthen_run(event_time_ms)
            return
        behind_ms = self.watermark_ms - event_time_ms
        if behind_ms > 0:
            raise Rejected("late", f"{behind_ms} ms older than the watermark")
        if self._run_length:
            self._run_oldest_ms = self._run_length = 0
        if not append_timed:
            self._note_unvouched(event_time_ms)
        if newest_ms is None or event_time_ms > newest_ms:
            self._believe(event_time_ms)

    def _note_unvouched(self, event_time_ms: int) -> None:
        if self._unvouched_ms is None or event_time_ms > self._unvouched_ms:
            self._unvouched_ms = event_time_ms

    def _lengthen_run(self, event_time_ms: int) -> None:
        """One more record that is further ahead than a clock may be; at RUN_LENGTH of them the oldest is believed."""
        self._run_oldest_ms = min(self._run_oldest_ms, event_time_ms) if self._run_length else event_time_ms
        self._run_length += 1
        if self._run_length == RUN_LENGTH:
            self._believe(self._run_oldest_ms)
            self._run_oldest_ms = self._run_length = 0

    def _believe(self, event_time_ms: int) -> None:
        self.newest_ms = event_time_ms
        self.watermark_ms = event_time_ms - self._lateness_ms
