"""An exact sliding window over one entity's events: a cursor with two ends.

The events of an entity lie sorted by (event time, offset). The window at `t` is the part with
`t - size < event_time <= t`. Moving to another `t` moves the two ends of that part and tells every aggregate which
event came in or went out, and at which end; so in order an event costs one step in and, later, one step out, and out
of order as many steps as there are newer events, which the allowed lateness bounds.

    events    a   b   c   d   e   f
                  └── window ──┘          append(f): comes in at the newer end
                  lo           hi         popleft(b): goes out at the older end
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from twinstream.core.event import RetainedEvent

E = TypeVar("E", bound=RetainedEvent)
E_contra = TypeVar("E_contra", bound=RetainedEvent, contravariant=True)


class Aggregate(Protocol[E_contra]):
    """Something kept up to date while events come in and go out at either end of the window.

    Every event that goes out has come in before, and goes out at an end: it is the oldest or the newest inside.
    """

    def append(self, event: E_contra) -> None:
        """The event came in at the newer end."""

    def pop(self, event: E_contra) -> None:
        """The event went out at the newer end."""

    def appendleft(self, event: E_contra) -> None:
        """The event came in at the older end."""

    def popleft(self, event: E_contra) -> None:
        """The event went out at the older end."""


class Window(Generic[E]):
    """The retained events of one entity and the window that currently lies over them.

    Attributes:
        size_ms: how long the window is.
        now_ms: the moment the window ends at, inclusive.
        count: number of events inside.
        newest: the newest event inside, None when there is none.
        previous: the event before the newest inside, None when there is none.
        truncated_ms: event time of the newest event that the cap took out; None when it took none.
    """

    __slots__ = (
        "_aggregates",
        "_events",
        "_first",
        "_hi",
        "_lo",
        "count",
        "newest",
        "now_ms",
        "previous",
        "size_ms",
        "truncated_ms",
    )

    def __init__(self, size_ms: int, aggregates: Sequence[Aggregate[E]] = ()) -> None:
        self.size_ms = size_ms
        self.now_ms = 0
        self.truncated_ms: int | None = None
        self._aggregates = aggregates
        self._events: list[E] = []
        self._first = 0  # events before it are forgotten, and deleted now and then
        self._lo = 0
        self._hi = 0
        self.count = 0
        self.newest: E | None = None
        self.previous: E | None = None

    def __len__(self) -> int:
        """Number of events retained, inside the window or not."""
        return len(self._events) - self._first

    @property
    def newest_retained(self) -> E | None:
        """The newest event of all, inside the window or not."""
        return self._events[-1] if len(self._events) > self._first else None

    @property
    def oldest_retained(self) -> E | None:
        """The oldest event of all, inside the window or not."""
        return self._events[self._first] if len(self._events) > self._first else None

    @property
    def truncated(self) -> bool:
        """Whether the cap took out events that this window would have."""
        return self.truncated_ms is not None and self.truncated_ms > self.now_ms - self.size_ms

    def retained(self) -> Sequence[E]:
        """All retained events, oldest first."""
        return self._events[self._first :]

    def move_to(self, now_ms: int) -> None:
        """Let the window end at `now_ms`."""
        self._move_to(now_ms)
        self._refresh()

    def insert(self, event: E) -> None:
        """Add an event, after those of the same time, and let the window end at its time."""
        self._move_to(event.time_ms)
        self._events.insert(self._hi, event)
        self._hi += 1
        for aggregate in self._aggregates:
            aggregate.append(event)
        self._refresh()

    def take_back(self, event: E) -> None:
        """Undo the `insert` of this event, the newest inserted; the window then ends at its time."""
        self._move_to(event.time_ms)
        self._hi -= 1
        for aggregate in self._aggregates:
            aggregate.pop(event)
        del self._events[self._hi]
        self._refresh()

    def forget_oldest(self) -> E:
        """Drop the oldest event and return it."""
        event = self._events[self._first]
        if self._lo == self._first < self._hi:
            for aggregate in self._aggregates:
                aggregate.popleft(event)
        self._first += 1
        if self._lo < self._first:
            self._lo = self._first
            self._hi = max(self._hi, self._first)
            self._refresh()
        if self._first > 64 and self._first * 2 > len(self._events):
            self._compact()
        return event

    def restore_oldest(self, event: E) -> None:
        """Undo a `forget_oldest`."""
        self._events.insert(self._first, event)
        if event.time_ms > self.now_ms - self.size_ms and event.time_ms <= self.now_ms:
            self._hi += 1
            for aggregate in self._aggregates:
                aggregate.appendleft(event)
        else:
            self._lo += 1
            self._hi += 1
        self._refresh()

    def fill(self, events: Sequence[E]) -> None:
        """Retain these events, sorted by (event time, offset), in a window that has none yet."""
        self._events = list(events)

    def _move_to(self, now_ms: int) -> None:
        """Move both ends, one event at a time."""
        forward = now_ms >= self.now_ms
        self.now_ms = now_ms
        after_ms = now_ms - self.size_ms
        events, aggregates, lo, hi = self._events, self._aggregates, self._lo, self._hi
        while hi < len(events) and events[hi].time_ms <= now_ms:
            for aggregate in aggregates:
                aggregate.append(events[hi])
            hi += 1
        while lo < hi and events[lo].time_ms <= after_ms:
            for aggregate in aggregates:
                aggregate.popleft(events[lo])
            lo += 1
        if not forward or lo == hi:
            while lo < hi and events[hi - 1].time_ms > now_ms:
                hi -= 1
                for aggregate in aggregates:
                    aggregate.pop(events[hi])
            if lo == hi:
                lo = hi = bisect_right(events, now_ms, lo=self._first, key=_time_ms)
            while lo > self._first and events[lo - 1].time_ms > after_ms:
                lo -= 1
                for aggregate in aggregates:
                    aggregate.appendleft(events[lo])
        self._lo, self._hi = lo, hi

    def _refresh(self) -> None:
        """Note, after every move, what many features look at."""
        events, hi = self._events, self._hi
        self.count = count = hi - self._lo
        self.newest = events[hi - 1] if count else None
        self.previous = events[hi - 2] if count > 1 else None

    def _compact(self) -> None:
        """Delete what is forgotten; done when it is half of the list, so it costs each event one step."""
        del self._events[: self._first]
        self._lo -= self._first
        self._hi -= self._first
        self._first = 0


def _time_ms(event: RetainedEvent) -> int:
    return event.time_ms
