"""The state of one entity: its retained events, and the three functions that everything else is plumbing around.

`insert` adds an event, `vector_at` reads every feature at a moment, `expire` forgets what no later read can need.

Stored, a state is a small head and the events in chunks of up to CHUNK_EVENTS, in the order of arrival. An event
touches the newest chunk only, so what is written per event does not depend on how many there are; aggregates are
never stored but derived when a state is loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from features.catalog import FeatureGroup
from features.errors import Rejected
from features.events import StateEvent
from features.lateness import BEGINNING_MS

STATE_VERSION = 1
"""Of the encoding below. A state of another version reads as absent and is rebuilt from the log."""

CHUNK_EVENTS = 32


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
        version: STATE_VERSION of the writer.
        applied_offset: source offset of the newest record applied; older or equal ones have been applied too.
        horizon_ms: events at or before it have been forgotten.
        truncated_ms, truncated_offset: up to here (event time, then offset) the cap took events out.
    """

    version: int
    applied_offset: int
    horizon_ms: int
    truncated_ms: int | None
    truncated_offset: int


@dataclass(frozen=True, slots=True)
class StateDelta:
    """What has changed in a state since it was last stored: write these, drop those."""

    head: bytes
    changed: dict[int, bytes]
    dropped: list[int]


class _Chunk:
    """Some events in the order of arrival; `newest_ms` is the newest event time among them."""

    __slots__ = ("events", "newest_ms")

    def __init__(self, events: list[Any]) -> None:
        self.events = events
        self.newest_ms = max((event.time_ms for event in events), default=BEGINNING_MS)


class EntityState:
    """The events of one entity (of one topic and partition) and the features over them.

    Attributes:
        applied_offset: source offset of the newest record applied, -1 before any.
        horizon_ms: events at or before it have been forgotten; `vector_at` is exact from `horizon_ms + window` on.
    """

    __slots__ = (
        "_changed",
        "_chunks",
        "_config",
        "_group",
        "_identities",
        "_newest_vector",
        "_next_chunk",
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
        self._chunks: dict[int, _Chunk] = {}  # by number, oldest first
        self._changed: set[int] = set()
        self._next_chunk = 0
        self._newest_vector: msgspec.Struct | None = None
        self.applied_offset = -1
        self.horizon_ms = BEGINNING_MS

    # --- the three functions ---------------------------------------------------------------------------------------

    def insert(self, event: StateEvent, watermark_ms: int) -> msgspec.Struct:
        """Apply an accepted event and return the vector at its time, itself included.

        Args:
            event: newer by offset than any before.
            watermark_ms: of its partition when the event arrived; the event is not older.

        Raises:
            Rejected: `duplicate`, or `internal` when a feature raised; the state is then as if it had never come.
        """
        identity = (event.time_ms, event.id)
        if identity in self._identities:
            raise Rejected("duplicate", f"{event.id} was accepted before at this event time")
        self.expire(watermark_ms)
        window = self._window
        truncated = window.truncated_ms, self._truncated_offset
        window.insert(event)
        evicted = self._evict() if len(window) > self._config.max_events else None
        try:
            vector = self._group.compute(window)
        except Rejected:
            if evicted is not event:
                window.take_back(event)
            if evicted is not None:
                window.truncated_ms, self._truncated_offset = truncated
                if evicted is not event:
                    window.restore_oldest(evicted)
            raise
        self._identities.add(identity)
        if evicted is not None:
            self._identities.discard((evicted.time_ms, evicted.id))
        self._store(event)
        self._newest_vector = vector if window.newest_retained is event else None
        self.applied_offset = event.offset
        return vector

    def vector_at(self, now_ms: int) -> msgspec.Struct:
        """Every feature at a moment.

        Raises:
            ValueError: the window at that moment reaches back beyond what is retained.
            Rejected: `internal`, when a feature raised.
        """
        if now_ms - self._config.size_ms < self.horizon_ms:
            raise ValueError(f"events up to {self.horizon_ms} ms have been forgotten, {now_ms} ms needs some of them")
        self._window.move_to(now_ms)
        return self._group.compute(self._window)

    def expire(self, watermark_ms: int) -> None:
        """Forget the events that no window from the watermark on can contain. No such read can tell."""
        horizon_ms = watermark_ms - self._config.size_ms
        if horizon_ms <= self.horizon_ms:
            return
        self.horizon_ms = horizon_ms
        window = self._window
        while (oldest := window.oldest_retained) is not None and oldest.time_ms <= horizon_ms:
            window.forget_oldest()
            self._identities.discard((oldest.time_ms, oldest.id))
        if window.truncated_ms is not None and window.truncated_ms <= horizon_ms:
            window.truncated_ms, self._truncated_offset = None, -1

    # --- reading ---------------------------------------------------------------------------------------------------

    @property
    def newest_event_time_ms(self) -> int | None:
        """Event time of the newest event retained."""
        newest = self._window.newest_retained
        return None if newest is None else newest.time_ms

    @property
    def events(self) -> list[StateEvent]:
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
        changed: dict[int, bytes] = {}
        for number in self._changed:
            chunk = self._chunks[number]
            chunk.events = [event for event in chunk.events if event.time_ms > self.horizon_ms]
            changed[number] = _encode(chunk.events)
        self._changed.clear()
        return StateDelta(self._head(), changed, dropped)

    def stored(self) -> StateDelta:
        """The whole state, as if none of it were stored."""
        return StateDelta(self._head(), {number: _encode(chunk.events) for number, chunk in self._chunks.items()}, [])

    @classmethod
    def load(cls, group: FeatureGroup, config: WindowConfig, head: bytes, chunks: Mapping[int, bytes]) -> "EntityState":
        """The state from what was stored of it.

        Raises:
            ValueError: it is of another version, or damaged.
        """
        stored = _decode_head(head)
        if stored.version != STATE_VERSION:
            raise ValueError(f"state version {stored.version}, expected {STATE_VERSION}")
        state = cls(group, config)
        state.applied_offset = stored.applied_offset
        state.horizon_ms = stored.horizon_ms
        state._truncated_offset = stored.truncated_offset
        state._window.truncated_ms = stored.truncated_ms
        decode = _decoder(group.event_type).decode
        retained = []
        gone = (BEGINNING_MS if stored.truncated_ms is None else stored.truncated_ms, stored.truncated_offset)
        for number in sorted(chunks):
            chunk = _Chunk(decode(chunks[number]))
            state._chunks[number] = chunk
            state._next_chunk = number + 1
            retained += [
                event
                for event in chunk.events
                if event.time_ms > stored.horizon_ms and (event.time_ms, event.offset) > gone
            ]
        retained.sort(key=_order)
        state._identities = {(event.time_ms, event.id) for event in retained}
        state._window.fill(retained)
        return state

    def _evict(self) -> StateEvent:
        """Take the oldest event out, because there are more than one entity may retain."""
        evicted: StateEvent = self._window.forget_oldest()
        self._window.truncated_ms, self._truncated_offset = evicted.time_ms, evicted.offset
        return evicted

    def _store(self, event: StateEvent) -> None:
        """Put an accepted event into the newest chunk, or into a new one when that is full."""
        number = self._next_chunk - 1
        chunk = self._chunks.get(number)
        if chunk is None or len(chunk.events) >= CHUNK_EVENTS:
            number = self._next_chunk
            chunk = self._chunks[number] = _Chunk([])
            self._next_chunk += 1
        chunk.events.append(event)
        chunk.newest_ms = max(chunk.newest_ms, event.time_ms)
        self._changed.add(number)

    def _drop_chunks(self) -> list[int]:
        """Drop the oldest chunks as long as all their events are forgotten; the newest is kept to be filled."""
        truncated_ms = self._window.truncated_ms
        gone_ms = self.horizon_ms if truncated_ms is None else max(self.horizon_ms, truncated_ms - 1)
        dropped: list[int] = []
        for number, chunk in self._chunks.items():
            if chunk.newest_ms > gone_ms or number == self._next_chunk - 1:
                break
            dropped.append(number)
        for number in dropped:
            del self._chunks[number]
            self._changed.discard(number)
        return dropped

    def _head(self) -> bytes:
        return _encode(
            Head(
                version=STATE_VERSION,
                applied_offset=self.applied_offset,
                horizon_ms=self.horizon_ms,
                truncated_ms=self._window.truncated_ms,
                truncated_offset=self._truncated_offset,
            )
        )


_encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(Head).decode


@cache
def _decoder(event_type: type[StateEvent]) -> msgspec.msgpack.Decoder[list[Any]]:
    return msgspec.msgpack.Decoder(list[event_type])  # type: ignore[valid-type]


def _order(event: StateEvent) -> tuple[int, int]:
    return event.time_ms, event.offset
