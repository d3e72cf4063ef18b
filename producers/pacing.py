"""When records happen: a fixed count, a steady rate, the hours of the day."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import accumulate
from math import inf
from random import Random
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from producers.clock import Clock
from twinstream.errors import UserError

_HOUR_MS = 3_600_000
UTC_ZONE = ZoneInfo("UTC")


def hour_multiplier(moment: datetime) -> float:
    """How busy a local time is, against an average hour: lunch 2, working hours 1.5, night 0.3; weekends × 1.5.

    >>> [hour_multiplier(datetime(2024, 5, day, hour)) for day, hour in ((15, 12), (18, 14), (15, 22))]
    [2.0, 2.25, 0.3]
    """
    hour = moment.hour
    if 12 <= hour < 14:
        multiplier = 2.0
    elif 9 <= hour < 17:
        multiplier = 1.5
    elif hour >= 22 or hour < 6:
        multiplier = 0.3
    else:
        multiplier = 1.0
    return multiplier * 1.5 if moment.weekday() >= 5 else multiplier


def event_times(count: int, start_ms: int, end_ms: int, random: Random, zone: ZoneInfo = UTC_ZONE) -> Iterator[int]:
    """`count` times from `start_ms` to `end_ms`, in order, dense where the hour is busy; the last is `end_ms`."""
    edges = [start_ms, *range(start_ms - start_ms % _HOUR_MS + _HOUR_MS, end_ms, _HOUR_MS), end_ms]
    busy = [hour_multiplier(datetime.fromtimestamp(edge / 1000, zone)) for edge in edges[:-1]]
    weights = [(high - low) * share for low, high, share in zip(edges, edges[1:], busy, strict=False)]
    ends = list(accumulate(weights))
    for number in range(count - 1):
        position = (number + random.random()) / count * ends[-1]
        hour = min(bisect_right(ends, position), len(weights) - 1)
        into = position - (ends[hour] - weights[hour])
        yield edges[hour] + int(into / busy[hour])
    if count > 0:
        yield end_ms


Multiplier = Callable[[datetime], float]
"""How much busier than average a local time is."""

MOST_BEHIND_SECONDS = 30.0
"""After a longer stall the missed records are not made up for."""

GRACE_SECONDS = 1.0
"""So long after the deadline a record that was due before it still goes out: a sleep always takes a little too long."""


class Pacer:
    """Holds a rate without drift: each wait is reckoned from the plan, not from the wait before.

    The records stand in the middle of their intervals, so that in any time there are rate × seconds of them, rounded.

    >>> from producers.clock import ManualClock
    >>> pacer, sent = Pacer(ManualClock(), per_second=10), 0
    >>> while pacer.wait(deadline=3.0): sent += 1
    >>> sent
    30
    """

    def __init__(
        self, clock: Clock, per_second: float, *, multiplier: Multiplier | None = None, zone: ZoneInfo = UTC_ZONE
    ) -> None:
        """`multiplier`, if given, scales the rate by the local time in `zone`; 0 or less per second is no limit."""
        self._clock = clock
        self._per_second = per_second
        self._multiplier = multiplier
        self._zone = zone
        self.due = clock.monotonic()
        """When the next record goes out, on the clock's `monotonic`."""
        if per_second > 0:
            self.due += 0.5 / self._rate()

    def wait(self, deadline: float = inf) -> bool:
        """Sleep until the next record is due; False if the deadline (on the clock's `monotonic`) comes first."""
        now = self._clock.monotonic()
        if self._per_second <= 0:
            return now < deadline
        if self.due >= deadline or now >= deadline + GRACE_SECONDS:
            self._clock.sleep(max(0.0, deadline - now))
            return False
        if self.due > now:
            self._clock.sleep(self.due - now)
        self.due = max(self.due, now - MOST_BEHIND_SECONDS) + 1.0 / self._rate()
        return True

    def warn_if_hardly_any(self, deadline: float) -> None:
        """Say so if less than one record is to be expected before the deadline: was the rate meant per hour?"""
        seconds = deadline - self._clock.monotonic()
        if self._per_second > 0 and seconds * self._rate() < 1:
            structlog.get_logger(__name__).warning(
                "At this rate the duration is over before a record is to be expected. Raise the rate or the duration",
                expected=round(seconds * self._rate(), 3),
                duration_seconds=round(seconds, 3),
                rate_per_second=round(self._rate(), 6),
                rate_per_hour=round(self._rate() * 3600, 3),
            )

    def _rate(self) -> float:
        if self._multiplier is None:
            return self._per_second
        return self._per_second * self._multiplier(datetime.fromtimestamp(self._clock.now_ms() / 1000, self._zone))


def time_zone(name: str) -> ZoneInfo:
    """The time zone of that name.

    Raises:
        UserError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise UserError(f"{name!r} is no time zone; expected a name such as UTC or America/Sao_Paulo.") from None
