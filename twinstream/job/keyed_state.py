"""The states of a group's entities in Flink's keyed state of a partition, and who of them is due to be forgotten.

An entity costs one read and one write per batch. Its head and newest chunk of events lie together under its name; only
full chunks have entries of their own, written once. Entities are registered by the time of their newest event, in
buckets, so that the sweep looks only at those whose time has come.
"""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, Protocol

import msgspec

from twinstream.core.feature_group import FeatureGroup
from twinstream.core.state import EntityState, StateDelta, WindowConfig, applied_offset
from twinstream.lru_cache import LruCache


class KeyedMap(Protocol):
    """Flink's map state, as far as it is used here."""

    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, value: bytes) -> None: ...
    def remove(self, key: str) -> None: ...
    def keys(self) -> Iterable[str]: ...
    def clear(self) -> None: ...


class Keyed(Protocol):
    """Flink's keyed state of one partition: the states of all groups that read it, each under its `SourceGroup.id`."""

    @property
    def entities(self) -> KeyedMap: ...
    @property
    def expiries(self) -> KeyedMap: ...
    @property
    def marks(self) -> KeyedMap: ...


class PartOfMap:
    """The part of a map that is a group's.

    Args:
        entries: the map.
        group: the group's `SourceGroup.id`.
    """

    def __init__(self, entries: KeyedMap, group: str) -> None:
        self._entries = entries
        self._prefix = f"{group}:"

    def get(self, key: str) -> bytes | None:
        """What lies under a key; None when nothing does."""
        return self._entries.get(self._prefix + key)

    def put(self, key: str, value: bytes) -> None:
        """Put something under a key."""
        self._entries.put(self._prefix + key, value)

    def remove(self, key: str) -> None:
        """Take away what lies under a key."""
        self._entries.remove(self._prefix + key)

    def keys(self) -> Iterable[str]:
        """The keys of the part, which takes a look at all keys of the map."""
        keys = self._entries.keys()
        return [key[len(self._prefix) :] for key in keys if key.startswith(self._prefix)]

    def clear(self) -> None:
        """Take everything away that is of the part."""
        for key in self.keys():
            self.remove(key)


class EntityEntry(msgspec.Struct, array_like=True, gc=False):
    """How an entity's state lies in the map.

    Attributes:
        written_by: the claim under which Redis got it, chunk by chunk; empty when Redis did not.
        first_chunk, newest_chunk: numbers of the oldest and of the newest chunk of events.
        newest_event_time_ms: of the entity.
    """

    written_by: str
    first_chunk: int
    newest_chunk: int
    newest_event_time_ms: int


class _Stored(msgspec.Struct, array_like=True, gc=False):
    """What lies under an entity's name."""

    entry: EntityEntry
    head: bytes
    newest: bytes


class EntityStates:
    """The states of one group's entities in a partition: a map, and a bounded cache before it.

    An entity lies under `/name`, its full chunk n under `n/name`.

    Args:
        entries: the map.
        group, window: whose states they are.
        capacity: most states kept in memory after a `trim`; may be changed.
    """

    def __init__(self, entries: KeyedMap, group: FeatureGroup, window: WindowConfig, capacity: int) -> None:
        self._entries = entries
        self._group = group
        self._window = window
        self.capacity = capacity
        self._cache = LruCache[str, tuple[EntityState, EntityEntry]]()

    def __len__(self) -> int:
        """Entities in memory."""
        return len(self._cache)

    def get(self, entity: str) -> EntityState | None:
        """An entity's state; None when it has none."""
        cached = self._cache.get(entity)
        if cached is not None:
            self._cache.touch(entity)
            return cached[0]
        loaded = self._load(entity)
        if loaded is None:
            return None
        self._cache[entity] = loaded
        return loaded[0]

    def entry(self, entity: str) -> EntityEntry | None:
        """How an entity lies here."""
        cached = self._cache.get(entity)
        if cached is not None:
            return cached[1]
        stored = self._read(entity)
        return None if stored is None else stored.entry

    def store(self, entity: str, state: EntityState, delta: StateDelta, written_by: str) -> None:
        """Write what has changed.

        Args:
            entity: whose.
            state: after the change.
            delta: the change.
            written_by: the claim under which Redis is about to get it.
        """
        before = self.entry(entity)
        newest = max(delta.changed)  # an event goes into the newest chunk, so that one is always among them
        for number, chunk in delta.changed.items():
            if number != newest:
                self._entries.put(f"{number}/{entity}", chunk)
        if before is None:
            first = min(delta.changed)
        else:
            first = max(delta.dropped) + 1 if delta.dropped else before.first_chunk
            if before.newest_chunk < newest and before.newest_chunk not in (*delta.changed, *delta.dropped):
                self._put_apart(entity, before.newest_chunk)
            for number in delta.dropped:
                self._entries.remove(f"{number}/{entity}")
        entry = EntityEntry(written_by, first, newest, state.newest_event_time_ms or 0)
        self._entries.put(_NAME + entity, _encode(_Stored(entry, delta.head, delta.changed[newest])))
        self._cache[entity] = state, entry

    def note_writer(self, entity: str, written_by: str) -> None:
        """Redis has got the state under this claim, or did not get it."""
        stored = self._read(entity)
        if stored is not None and stored.entry.written_by != written_by:
            stored.entry.written_by = written_by
            self._entries.put(_NAME + entity, _encode(stored))
            if entity in self._cache:
                self._cache[entity] = self._cache[entity][0], stored.entry

    def remove(self, entity: str) -> None:
        """Forget an entity."""
        self._cache.pop(entity, None)
        stored = self._read(entity)
        if stored is not None:
            for number in range(stored.entry.first_chunk, stored.entry.newest_chunk):
                self._entries.remove(f"{number}/{entity}")
            self._entries.remove(_NAME + entity)

    def changed_since(self, offset: int) -> list[str]:
        """Every entity whose state contains a record from this offset on."""
        keys = self._entries.keys()
        names = [key[len(_NAME) :] for key in keys if key.startswith(_NAME)]
        stored = ((name, self._read(name)) for name in names)
        return [name for name, found in stored if found is not None and applied_offset(found.head) >= offset]

    def trim(self) -> None:
        """Let go of the states in memory that were used longest ago, above the capacity."""
        self._cache.trim(self.capacity)

    def _load(self, entity: str) -> tuple[EntityState, EntityEntry] | None:
        stored = self._read(entity)
        if stored is None:
            return None
        entry = stored.entry
        chunks = {entry.newest_chunk: stored.newest}
        for number in range(entry.first_chunk, entry.newest_chunk):
            chunk = self._entries.get(f"{number}/{entity}")
            if chunk is not None:
                chunks[number] = chunk
        return EntityState.load(self._group, self._window, stored.head, chunks), entry

    def _read(self, entity: str) -> _Stored | None:
        raw = self._entries.get(_NAME + entity)
        return None if raw is None else _decode(raw)

    def _put_apart(self, entity: str, number: int) -> None:
        """The newest chunk is full and another follows: from now on it lies on its own."""
        stored = self._read(entity)
        if stored is not None:
            self._entries.put(f"{number}/{entity}", stored.newest)


class ExpiryIndex:
    """Which entities have outlived their window, by the time of their newest event.

    An entity is registered whenever its newest event falls into another bucket than before. A bucket is no longer than
    an entity lives, so nobody registers in the one that is being swept: it is read once, and then lies in memory.

    Args:
        entries: where the registrations lie.
        bucket_ms: length of a bucket.
        pages: how many batches have registered in each bucket; kept up to date, stored by the caller.
    """

    def __init__(self, entries: KeyedMap, bucket_ms: int, pages: dict[int, int]) -> None:
        self._entries = entries
        self._bucket_ms = bucket_ms
        self.pages = pages
        self._reading: int | None = None
        self._heap: list[tuple[int, str]] = []

    def bucket(self, time_ms: int) -> int:
        """The bucket of a time."""
        return time_ms // self._bucket_ms

    def register(self, entities: Iterable[tuple[int, str]]) -> None:
        """Note entities, each with the time of its newest event."""
        by_bucket: dict[int, list[tuple[int, str]]] = {}
        for time_ms, entity in entities:
            by_bucket.setdefault(self.bucket(time_ms), []).append((time_ms, entity))
        for bucket, registered in by_bucket.items():
            page = self.pages.get(bucket, 0)
            self._entries.put(f"{bucket}:{page}", _encode(registered))
            self.pages[bucket] = page + 1

    def until(self, time_ms: int) -> Iterator[tuple[int, str]]:
        """Registrations whose time is not newer, oldest bucket first. `postpone` those that have had newer events."""
        while self.pages:
            oldest = min(self.pages)
            if oldest > self.bucket(time_ms):
                return
            if self._reading != oldest:
                self._read(oldest)
            while self._heap and self._heap[0][0] <= time_ms:
                yield heappop(self._heap)
            if oldest == self.bucket(time_ms):
                return
            for page in range(self.pages.pop(oldest)):
                self._entries.remove(f"{oldest}:{page}")

    def postpone(self, time_ms: int, entity: str) -> None:
        """An entity yielded by `until` has a newer event; another bucket knows of it already if it lies there."""
        if self.bucket(time_ms) == self._reading:
            heappush(self._heap, (time_ms, entity))

    def _read(self, bucket: int) -> None:
        self._heap = []
        for page in range(self.pages[bucket]):
            raw = self._entries.get(f"{bucket}:{page}")
            self._heap += [] if raw is None else _decode_registered(raw)
        heapify(self._heap)
        self._reading = bucket


_Registered = list[tuple[int, str]]

STORED: tuple[Any, ...] = (_Stored, _Registered)
"""The types of all that is stored in the maps."""

_NAME = "/"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode
_decode_registered = msgspec.msgpack.Decoder(_Registered).decode
