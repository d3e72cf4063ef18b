"""The state of one entity: its retained events, and the two functions that everything else serves.

`insert` adds an event and forgets what no later window can contain; `vector_at` reads every feature at a moment.

Stored, a state is a small head and the events in chunks of up to CHUNK_EVENTS, in the order of arrival. An event is
encoded once, onto the end of the newest chunk, so what it costs does not depend on how many there are; a chunk goes
when all of its events are gone. Aggregates are never stored but derived when a state is loaded.

The head begins with a version that is derived from the types in it. A state that does not fit reads as absent: the
runtimes put the version into the epoch of whatever they store, and rebuild from the log what is of another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import heappop, heappush
from typing import Any

import msgspec

from twinstream.core.event import RetainedEvent
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.fingerprint import fingerprint
from twinstream.core.lateness import BEGINNING_MS
from twinstream.core.rejection import Rejected

CHUNK_EVENTS = 8
"""Few, since the newest chunk is written with every event; but not so few that Redis keeps more names than events."""

_EMPTY_CHUNK = b"\xdc\x00\x00"
"""MessagePack of an array with a length of two bytes, of which the last one counts the events."""


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """What the windows of every entity have in common.

    Attributes:
        size_ms: length of a window.
        max_events: most events that one entity may retain.
    """

    size_ms: int
    max_events: int = 50_000


class Head(msgspec.Struct, array_like=True, gc=False, kw_only=True):
    """What is stored of a state beside its events.

    Attributes:
        version: `state_version` of the writer.
        applied_offset: source offset of the newest record applied; older or equal ones have been applied too.
        horizon_ms: events at or before it have been forgotten.
        truncated_ms, truncated_offset: up to here (event time, then offset) the cap took events out.
    """

    version: int
    applied_offset: int
    horizon_ms: int
    truncated_ms: int | None
    truncated_offset: int


class StateUnreadable(ValueError):
    """What is stored of an entity is of another version, or damaged: it must be rebuilt from the log."""


@cache
def state_version(event_type: type[RetainedEvent]) -> int:
    """Stands for all that decides how a state with such events is stored; see `fingerprint`."""
    return fingerprint(Head, list[event_type])  # type: ignore[valid-type]


def applied_offset(head: bytes) -> int:
    """Source offset of the newest record that a stored state contains.

    Raises:
        StateUnreadable: it is damaged.
    """
    return _decoded_head(head).applied_offset


class StateDelta(msgspec.Struct, frozen=True, gc=False):
    """What has changed in a state since it was last stored: write these, drop those."""

    head: bytes
    changed: dict[int, bytes]
    dropped: list[int]


class EntityState:
    """The events of one entity (of one topic and partition) and the features over them.

    Attributes:
        applied_offset: source offset of the newest record applied, -1 before any.
        horizon_ms: events at or before it have been forgotten; `vector_at` is exact from `horizon_ms + window` on.
    """

    __slots__ = (
        "_chunks",
        "_config",
        "_first_changed",
        "_group",
        "_identities",
        "_newest_place",
        "_newest_vector",
        "_next_chunk",
        "_sealed",
        "_truncated_offset",
        "_window",
        "applied_offset",
        "horizon_ms",
    )

    def __init__(self, group: FeatureGroup, config: WindowConfig) -> None:
        self._group = group
        self._config = config
        self._window = group.window(config.size_ms)
        self._identities: set[tuple[int, str]] = set()
        self._truncated_offset = -1
        self._chunks: dict[int, bytearray] = {}  # encoded events in the order of arrival, by number
        self._newest_place = _BEGINNING  # of the newest event in the newest chunk
        self._sealed: list[tuple[_Place, int]] = []  # heap of full chunks: place of the newest event, number
        self._next_chunk = 0
        self._first_changed = 0  # chunks from this number on differ from what is stored
        self._newest_vector: msgspec.Struct | None = None
        self.applied_offset = -1
        self.horizon_ms = BEGINNING_MS

    # --- the core ----------------------------------------------------------------------------------------------------

    def insert(self, event: RetainedEvent, watermark_ms: int) -> msgspec.Struct:
        """Apply an accepted event and return the vector at its time, itself included.

        Args:
            event: newer by offset than any before.
            watermark_ms: of its partition when the event arrived; the event is not older.

        Raises:
            Rejected: `duplicate`, or `internal` when a feature or an aggregate raised; the state is then as if it had
                never come.
        """
        identity = (event.time_ms, event.id)
        if identity in self._identities:
            raise Rejected("duplicate", f"{event.id} was accepted before at this event time")
        window = self._window
        before = self.horizon_ms, window.truncated_ms, self._truncated_offset
        forgotten: list[Any] = []
        try:
            self._forget_until(watermark_ms - self._config.size_ms, forgotten)
            window.insert(event)
            if evicted := len(window) > self._config.max_events:
                forgotten.append(self._evict())
            vector = self._group.compute(window)
            newest_vector: msgspec.Struct | None = vector
            newest = window.newest_retained
            if newest is not None and newest is not event:
                newest_vector = self._newest_vector
                if evicted or newest_vector is None or event.time_ms > newest.time_ms - self._config.size_ms:
                    window.move_to(newest.time_ms)
                    newest_vector = self._group.compute(window)
                # Else the newest is of a clock so fast that the event is not in its window. To go there and back would
                # take a step for each event of both.
        except Rejected:
            if forgotten and forgotten[-1] is event:
                forgotten.pop()
            else:
                window.take_back(event)
            for old in reversed(forgotten):
                window.restore_oldest(old)
            self.horizon_ms, window.truncated_ms, self._truncated_offset = before
            raise
        except Exception as fault:
            events = [each for each in (*forgotten, *window.retained()) if each is not event]
            self.horizon_ms, truncated_ms, self._truncated_offset = before
            self._begin_anew(events, truncated_ms)
            raise _aggregate_raised(fault) from fault
        self._identities.add(identity)
        if forgotten:
            self._identities.difference_update([(old.time_ms, old.id) for old in forgotten])
        self._store(event)
        self._newest_vector = newest_vector
        self.applied_offset = event.offset
        return vector

    def vector_at(self, now_ms: int) -> msgspec.Struct:
        """Every feature at a moment.

        Raises:
            ValueError: the window at that moment reaches back beyond what is retained.
            Rejected: `internal`, when a feature or an aggregate raised.
        """
        if now_ms - self._config.size_ms < self.horizon_ms:
            raise ValueError(f"events up to {self.horizon_ms} ms have been forgotten, {now_ms} ms needs some of them")
        window = self._window
        try:
            window.move_to(now_ms)
        except Exception as fault:
            self._begin_anew(window.retained(), window.truncated_ms)
            raise _aggregate_raised(fault) from fault
        return self._group.compute(window)

    def expire(self, watermark_ms: int) -> None:
        """Forget at once what the next `insert` would forget: events that no window from the watermark on can contain.

        No read can tell the difference. Tests show that by calling it at any time; the runtimes have no need to.
        """
        forgotten: list[Any] = []
        self._forget_until(watermark_ms - self._config.size_ms, forgotten)
        self._identities.difference_update([(old.time_ms, old.id) for old in forgotten])

    # --- reading ---------------------------------------------------------------------------------------------------

    @property
    def newest_event_time_ms(self) -> int | None:
        """Event time of the newest event retained."""
        newest = self._window.newest_retained
        return None if newest is None else newest.time_ms

    @property
    def truncated(self) -> bool:
        """Whether the cap took out events that the window of the last vector would have."""
        return self._window.truncated

    @property
    def events(self) -> list[RetainedEvent]:
        """The retained events, oldest first."""
        return list(self._window.retained())

    def newest_vector(self) -> msgspec.Struct:
        """The vector at the newest event's time: what a reader sees who asks for no other moment.

        Raises:
            Rejected: `internal`, when a feature raised.
            ValueError: there is no event.
        """
        if self._newest_vector is None:
            if self.newest_event_time_ms is None:
                raise ValueError("a state without events has no newest vector")
            self._newest_vector = self.vector_at(self.newest_event_time_ms)
        return self._newest_vector

    # --- storing ---------------------------------------------------------------------------------------------------

    def delta(self) -> StateDelta:
        """What to write and to drop, so that what is stored equals this state; the state then counts as stored."""
        dropped = self._drop_chunks()
        chunks, numbers = self._chunks, range(self._first_changed, self._next_chunk)
        changed = {number: bytes(chunks[number]) for number in numbers if number in chunks}
        self._first_changed = self._next_chunk
        newest = self._window.newest_retained
        if newest is None or newest.offset == self.applied_offset:
            self._newest_vector = None  # it has been read, and would lie in memory until the next event
        return StateDelta(self._head(), changed, dropped)

    def stored(self) -> StateDelta:
        """The whole state, as if none of it were stored."""
        return StateDelta(self._head(), {number: bytes(chunk) for number, chunk in self._chunks.items()}, [])

    @classmethod
    def load(cls, group: FeatureGroup, config: WindowConfig, head: bytes, chunks: Mapping[int, bytes]) -> "EntityState":
        """The state from what was stored of it.

        Raises:
            StateUnreadable: it is of another version, or damaged.
        """
        stored, version = _decoded_head(head), state_version(group.event_type)
        if stored.version != version:
            raise StateUnreadable(f"state version {stored.version}, expected {version}")
        state = cls(group, config)
        state.applied_offset = stored.applied_offset
        state.horizon_ms = stored.horizon_ms
        state._truncated_offset = stored.truncated_offset
        state._window.truncated_ms = stored.truncated_ms
        decode, gone = _decoder(group.event_type).decode, state._gone()
        retained = []
        for number in sorted(chunks):
            try:
                events = decode(chunks[number])
            except (msgspec.DecodeError, UnicodeDecodeError) as fault:
                raise StateUnreadable(f"chunk {number}: {fault}") from fault
            chunk = state._open_chunk(number)
            for event in events:
                state._append(chunk, event)
            retained += [event for event in events if _place(event) > gone]
        state._first_changed = state._next_chunk
        retained.sort(key=_place)
        state._identities = {(event.time_ms, event.id) for event in retained}
        state._window.fill(retained)
        return state

    def _forget_until(self, horizon_ms: int, forgotten: list[Any]) -> None:
        """Take the events up to the horizon out of the window and note them, oldest first."""
        if horizon_ms <= self.horizon_ms:
            return
        self.horizon_ms = horizon_ms
        window = self._window
        while (oldest := window.oldest_retained) is not None and oldest.time_ms <= horizon_ms:
            forgotten.append(window.forget_oldest())
        if window.truncated_ms is not None and window.truncated_ms <= horizon_ms:
            window.truncated_ms, self._truncated_offset = None, -1

    def _begin_anew(self, events: Sequence[Any], truncated_ms: int | None) -> None:
        """Have a new window over these events: an aggregate that raised may hold anything."""
        self._window = self._group.window(self._config.size_ms)
        self._window.truncated_ms = truncated_ms
        self._window.fill(events)

    def _evict(self) -> RetainedEvent:
        """Take the oldest event out, because there are more than one entity may retain."""
        evicted: RetainedEvent = self._window.forget_oldest()
        # An event that came late to a full window is taken out itself, and may be older than those taken out before.
        self._window.truncated_ms, self._truncated_offset = max(self._gone(), _place(evicted))
        return evicted

    def _gone(self) -> "_Place":
        """The place up to which events have been forgotten or taken out by the cap."""
        truncated_ms = self._window.truncated_ms
        forgotten = self.horizon_ms + 1, -1
        return forgotten if truncated_ms is None else max(forgotten, (truncated_ms, self._truncated_offset))

    def _store(self, event: RetainedEvent) -> None:
        """Put an accepted event into the newest chunk, or into a new one when that is full."""
        number = self._next_chunk - 1
        chunk = self._chunks.get(number)
        if chunk is None or chunk[2] >= CHUNK_EVENTS:
            number += 1
            chunk = self._open_chunk(number)
        self._append(chunk, event)
        if number < self._first_changed:
            self._first_changed = number

    def _open_chunk(self, number: int) -> bytearray:
        """Start a chunk; the one before gets no more events."""
        if self._chunks:
            heappush(self._sealed, (self._newest_place, self._next_chunk - 1))
        self._chunks[number] = chunk = bytearray(_EMPTY_CHUNK)
        self._newest_place = _BEGINNING
        self._next_chunk = number + 1
        return chunk

    def _append(self, chunk: bytearray, event: RetainedEvent) -> None:
        """Encode an event onto the end of the newest chunk."""
        _encode_into(event, chunk, -1)
        chunk[2] += 1
        place = event.time_ms, event.offset
        if place > self._newest_place:
            self._newest_place = place

    def _drop_chunks(self) -> list[int]:
        """Drop the full chunks of which every event is gone."""
        gone, sealed = self._gone(), self._sealed
        dropped: list[int] = []
        while sealed and sealed[0][0] <= gone:
            _, number = heappop(sealed)
            del self._chunks[number]
            dropped.append(number)
        return dropped

    def _head(self) -> bytes:
        return _encode(
            Head(
                version=state_version(self._group.event_type),
                applied_offset=self.applied_offset,
                horizon_ms=self.horizon_ms,
                truncated_ms=self._window.truncated_ms,
                truncated_offset=self._truncated_offset,
            )
        )


_encoder = msgspec.msgpack.Encoder()
_encode, _encode_into = _encoder.encode, _encoder.encode_into
_decode_head = msgspec.msgpack.Decoder(Head).decode


def _decoded_head(head: bytes) -> Head:
    try:
        return _decode_head(head)
    except msgspec.DecodeError as fault:
        raise StateUnreadable(f"head: {fault}") from fault


@cache
def _decoder(event_type: type[RetainedEvent]) -> msgspec.msgpack.Decoder[list[Any]]:
    return msgspec.msgpack.Decoder(list[event_type])  # type: ignore[valid-type]


def _aggregate_raised(fault: Exception) -> Rejected:
    return Rejected("internal", f"an aggregate raised {type(fault).__name__}")


_Place = tuple[int, int]
"""Where an event stands among the others: its time, then its offset."""

_BEGINNING: _Place = (BEGINNING_MS, -1)


def _place(event: RetainedEvent) -> _Place:
    return event.time_ms, event.offset
