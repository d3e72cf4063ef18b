"""Time, injected: everything that waits or asks for the time takes a clock."""

import time
from typing import Protocol


class Clock(Protocol):
    """What pacing needs of a clock."""

    def now_ms(self) -> int:
        """The time of day in epoch milliseconds."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """The time of day in epoch milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class ManualClock:
    """A clock that moves only when somebody sleeps on it: for tests and dry runs.

    >>> clock = ManualClock(now_ms=1_000)
    >>> clock.sleep(2.5)
    >>> clock.now_ms(), clock.monotonic()
    (3500, 2.5)
    """

    def __init__(self, now_ms: int = 0) -> None:
        self._start_ms = now_ms
        self._elapsed = 0.0

    def now_ms(self) -> int:
        """The time of day in epoch milliseconds."""
        return self._start_ms + round(self._elapsed * 1000)

    def monotonic(self) -> float:
        """Seconds slept so far."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Move on by that much."""
        self._elapsed += max(0.0, seconds)
