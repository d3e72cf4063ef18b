"""The lateness rule: decided by the data of one partition alone, never by a clock or by another partition."""

from twinstream.core.rejection import Rejected

BEGINNING_MS = -(2**62)
"""Before any time: the watermark of a partition in which nothing has been seen yet."""

EARLIEST_TIMESTAMP_MS = 946_684_800_000
"""The year 2000: a Kafka timestamp before it is missing (-1 or 0), or in seconds."""


class LatenessRule:
    """The rule for one source partition; its whole state is one integer.

    `watermark = max(event_time of earlier records that passed schema and future) - allowed lateness`. A record older
    than the watermark is late. A record whose event time is further ahead of its Kafka timestamp than the allowed skew
    comes from a bad clock: it is set aside and moves nothing.

    >>> rule = LatenessRule(allowed_lateness_ms=30_000, max_future_skew_ms=30_000)
    >>> rule.observe(event_time_ms=100_000, timestamp_ms=100_000)
    >>> rule.watermark_ms
    70000
    >>> rule.observe(event_time_ms=69_999, timestamp_ms=100_001)
    Traceback (most recent call last):
    twinstream.core.rejection.Rejected: late: 1 ms older than the watermark
    """

    __slots__ = ("_lateness_ms", "_skew_ms", "max_event_time_ms", "watermark_ms")

    def __init__(self, allowed_lateness_ms: int, max_future_skew_ms: int, max_event_time_ms: int | None = None) -> None:
        self._lateness_ms = allowed_lateness_ms
        self._skew_ms = max_future_skew_ms
        self.max_event_time_ms = max_event_time_ms
        self.watermark_ms = BEGINNING_MS if max_event_time_ms is None else max_event_time_ms - allowed_lateness_ms

    def observe(self, event_time_ms: int, timestamp_ms: int) -> None:
        """Check one record, then let it move the watermark.

        Args:
            event_time_ms: when it happened.
            timestamp_ms: when the broker appended it to the log.

        Raises:
            Rejected: `future` or `late`. A late record has been observed all the same; a future one has not.
        """
        ahead_ms = event_time_ms - timestamp_ms
        if ahead_ms > self._skew_ms:
            if timestamp_ms < EARLIEST_TIMESTAMP_MS:
                raise Rejected("future", f"nobody vouches for it: {timestamp_ms} is no Kafka timestamp in ms")
            raise Rejected("future", f"{ahead_ms} ms ahead of the log, {self._skew_ms} allowed")
        behind_ms = self.watermark_ms - event_time_ms
        if behind_ms > 0:
            raise Rejected("late", f"{behind_ms} ms older than the watermark")
        if self.max_event_time_ms is None or event_time_ms > self.max_event_time_ms:
            self.max_event_time_ms = event_time_ms
            self.watermark_ms = event_time_ms - self._lateness_ms
