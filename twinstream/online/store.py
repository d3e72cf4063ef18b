"""The online store: features for everyone, states and progress for the workers, in one Redis.

Every write is fenced. A worker claims a partition and gets a token; the token and the place where the worker last saw
what it changes are checked in the same step as the change. So a replay, a worker that was given up for dead, or a
Redis that lost its last second cannot move anything backwards or mix two histories. Every call may be repeated with
the same arguments after `StoreUnavailable`: what was done already is left alone.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import redis

from twinstream.core.feature_group import FeatureGroup
from twinstream.core.state import EntityState, StateDelta
from twinstream.core.vectors import hash_lines
from twinstream.online.keys import Keys, Partition, writer_key
from twinstream.online.pipeline import Command, Packed, Pipe, Sent, call
from twinstream.online.progress import Progress as Progress
from twinstream.online.progress import decoded, lateness_text
from twinstream.online.scripts import CLAIM, FINISH, SWEEP, WRITE
from twinstream.online.single_writer import Runtime, Writer, other_writer
from twinstream.online.store_errors import StoreMismatch

ENTITIES_PER_WRITE = 32
"""Entities written by one script call: few enough that other clients of Redis wait a millisecond at most."""

ENTITIES_PER_SWEEP = 500
"""Entities removed by one script call."""

_EVERYTHING = "+inf"


class Claim(NamedTuple):
    """The right to write to a partition, until another worker claims it."""

    partition: Partition
    epoch: str
    token: str


class StoredState(NamedTuple):
    """A state as it is stored; `EntityState.load` takes head and chunks. `offset` is the newest record applied."""

    offset: int
    head: bytes
    chunks: dict[int, bytes]


class EntityWrite(NamedTuple):
    """What a batch changed of one entity.

    Attributes:
        entity: whom it is about.
        base_offset: applied offset of the stored state that `delta` is a change of; -1 when there is none.
        offset: applied offset after it.
        newest_event_time_ms: of the entity.
        names: of the features.
        lines: their values, as they are to be read, each ended by a line break.
        delta: the changed parts of the state.
    """

    entity: str
    base_offset: int
    offset: int
    newest_event_time_ms: int
    names: Sequence[str]
    lines: bytes
    delta: StateDelta

    @classmethod
    def of(
        cls, group: FeatureGroup, entity: str, base_offset: int, state: EntityState, delta: StateDelta | None = None
    ) -> "EntityWrite":
        """What Redis is to have of an entity: the change since its state was last stored, unless another is given.

        Raises:
            ValueError: the state has no event.
        """
        return cls(
            entity=entity,
            base_offset=base_offset,
            offset=state.applied_offset,
            newest_event_time_ms=state.newest_event_time_ms or 0,
            names=group.names,
            lines=hash_lines(group, state.newest_vector()),
            delta=delta or state.delta(),
        )


class Written(NamedTuple):
    """The entities that two partitions have features of; the newer ones are shown."""

    conflicts: list[tuple[Partition, str]]


class Load(NamedTuple):
    """What to load of a partition, and the progress that it is expected to be at."""

    claim: Claim
    expected: Progress | None
    entities: Sequence[str]


class Finish(NamedTuple):
    """A partition's progress, from where to where, and up to which newest event time (ms) its entities may go."""

    claim: Claim
    expected: Progress | None
    new: Progress
    sweep_until_ms: int | None = None


class OnlineStore:
    """Redis as the workers see it. Use `twinstream.online.connection.connect` to get one.

    Args:
        client: replies as bytes.
        namespace: keeps the states of two consumer groups apart.
        address: of Redis, for messages.
        runtime: what claims partitions with it.
    """

    def __init__(self, client: redis.Redis, namespace: str, address: str, runtime: Runtime = Runtime.LOOP) -> None:
        self.namespace = namespace
        self.writer = Writer(runtime, namespace)
        self.pipe = Pipe(client, address)

    def ping(self) -> None:
        """Return if Redis answers, else raise `StoreUnavailable`."""
        self.pipe.run([("PING",)])

    def close(self) -> None:
        """Close the connections."""
        self.pipe.close()

    # --- taking a partition over ------------------------------------------------------------------------------------

    def claim(self, partition: Partition, epoch: str) -> tuple[Claim, Progress | None]:
        """Take a partition over from whoever had it; what is stored of another epoch is removed first.

        Returns:
            The claim, and the progress if there is one of this epoch.

        Raises:
            OtherWriter: the features are another runtime's, or another consumer group's.
        """
        claim = Claim(partition, epoch, uuid.uuid4().hex)
        found = self._take(claim, epoch, "")
        while not found:
            self._sweep([claim], [_EVERYTHING])
            found = self._take(claim, epoch, "held")
        return claim, decoded(*found)

    def forget(self, claim: Claim) -> None:
        """Remove all that is stored of a partition, its progress included; the claim stays good.

        Raises:
            StoreMismatch: the partition is not ours any more.
        """
        self._take(claim, "", "held")  # no epoch
        self._sweep([claim], [_EVERYTHING])
        self._take(claim, claim.epoch, "held")

    # --- a batch ----------------------------------------------------------------------------------------------------

    def load(self, loads: Sequence[Load]) -> list[dict[str, StoredState | None]]:
        """The stored states of some entities, for each partition, in one round trip.

        Raises:
            StoreMismatch: a partition is not ours any more, or is not where we left it.
        """
        commands: list[Command] = []
        for claim, _, entities in loads:
            keys = self._keys(claim)
            commands.append(("HMGET", keys.progress, "token", "epoch", "offset", "max_event_time"))
            commands += [("HGETALL", keys.state_prefix + entity) for entity in entities]
        replies = iter(self.pipe.run(commands))
        results = []
        for claim, expected, entities in loads:
            _check(claim, expected, next(replies))
            epoch = claim.epoch.encode()
            results.append({entity: stored_state(next(replies), epoch) for entity in entities})
        return results

    def write(self, writes: Iterable[tuple[Claim, Iterable[EntityWrite]]]) -> Written:
        """Replace features and change states, in one round trip. Redis executes the first while the last are made.

        Raises:
            StoreMismatch: a partition is not ours any more, or a stored state is not the one that was changed. Other
                entities have been written.
        """
        batch = self.writing(writes)
        batch.send()
        return batch.outcome()

    def writing(self, writes: Iterable[tuple[Claim, Iterable[EntityWrite]]]) -> "BatchWrite":
        """The same in steps, for a caller who has other things to do meanwhile."""
        return BatchWrite(self, writes)

    def finish(self, finishes: Sequence[Finish]) -> int:
        """Move the progress of some partitions on and remove their outdated entities, mostly in one round trip.

        A worker forgets the entities removed too, since what it knows of them has no base any more.

        Returns:
            The number of entities removed.

        Raises:
            StoreMismatch: a partition is not ours any more, or is not where we left it.
        """
        if not finishes:
            return 0
        commands = [
            call(
                FINISH,
                self._keys(finish.claim)[:2],
                finish.claim.token,
                "" if finish.expected is None else finish.expected.next_offset,
                finish.new.next_offset,
                lateness_text(finish.new.lateness),
                *self._removal(finish.claim, "" if finish.sweep_until_ms is None else finish.sweep_until_ms),
            )
            for finish in finishes
        ]
        removed: list[int] = self.pipe.run(commands)
        for finish, number in zip(finishes, removed, strict=True):
            if number == -1:
                raise _lost(finish.claim)
            if number < 0:
                raise StoreMismatch(f"the progress of {_name(finish.claim)} is not {finish.expected}")
        more = [
            (finish.claim, finish.sweep_until_ms)
            for finish, number in zip(finishes, removed, strict=True)
            if number == ENTITIES_PER_SWEEP and finish.sweep_until_ms is not None
        ]
        return sum(removed) + self.sweep(more)

    def save_progress(self, moves: Sequence[tuple[Claim, Progress | None, Progress]]) -> None:
        """`finish` without removing anything."""
        self.finish([Finish(*move) for move in moves])

    def sweep(self, sweeps: Sequence[tuple[Claim, int]]) -> int:
        """Remove the entities whose newest event is not newer than a time (ms), and return how many they were.

        The time must not be ahead of what the stored progress implies, or a replay would miss what is gone.

        Raises:
            StoreMismatch: a partition is not ours any more.
        """
        return self._sweep([claim for claim, _ in sweeps], [until_ms for _, until_ms in sweeps])

    # --- the commands -----------------------------------------------------------------------------------------------

    def _take(self, claim: Claim, epoch: str, held: str) -> list[bytes | None]:
        """The stored offset and newest event time of the epoch; empty when another epoch's leftovers are in the way."""
        places = *self._keys(claim)[:2], writer_key(claim.partition.group)
        ((code, *stored),) = self.pipe.run([call(CLAIM, places, claim.token, epoch, held, *self.writer)])
        if code == -2:
            raise other_writer(self.pipe, claim.partition.group, stored, self.writer)
        if code < 0:
            raise _lost(claim)
        return list(stored)

    def _sweep(self, claims: Sequence[Claim], until: Sequence[int | str]) -> int:
        """Remove entities in steps that other clients of Redis do not notice, until none is left."""
        total = 0
        left = list(zip(claims, until, strict=True))
        while left:
            commands = [
                call(SWEEP, self._keys(claim)[:2], claim.token, *self._removal(claim, until_ms))
                for claim, until_ms in left
            ]
            removed = self.pipe.run(commands)
            for (claim, _), number in zip(left, removed, strict=True):
                if number < 0:
                    raise _lost(claim)
            total += sum(removed)
            left = [job for job, number in zip(left, removed, strict=True) if number == ENTITIES_PER_SWEEP]
        return total

    def _removal(self, claim: Claim, until_ms: int | str) -> Command:
        keys, (topic, number, _) = self._keys(claim), claim.partition
        return until_ms, ENTITIES_PER_SWEEP, keys.features_prefix, keys.state_prefix, topic, number

    def _keys(self, claim: Claim) -> Keys:
        return Keys.of(self.namespace, claim.partition)


class BatchWrite:
    """The fenced writes of a batch, step by step: made, sent, and found to have been done or not."""

    def __init__(self, store: OnlineStore, writes: Iterable[tuple[Claim, Iterable[EntityWrite]]]) -> None:
        self._store = store
        self._blocks: list[tuple[Claim, Sequence[EntityWrite]]] = []
        self._commands = Packed(self._make(writes))
        self._sent: Sent | None = None

    def make(self) -> None:
        """Make all commands now, before any is sent; otherwise they are made while the first are being executed."""
        self._commands.pack()

    def send(self) -> None:
        """Send everything.

        Raises:
            StoreUnavailable: Redis does not answer. Some entities may have been written.
        """
        self._sent = self._store.pipe.send(self._commands)

    def outcome(self) -> Written:
        """Wait until everything has been written; see `OnlineStore.write`."""
        assert self._sent is not None, "nothing has been sent"
        sent, self._sent = self._sent, None
        conflicts = []
        for (claim, block), outcome in zip(self._blocks, sent.replies(), strict=True):
            if not outcome:
                raise _lost(claim)
            for entity, code in zip(block, outcome, strict=True):
                if not code:
                    raise StoreMismatch(f"{entity.entity} in {_name(claim)} is not at offset {entity.base_offset}")
                if code > 1:
                    conflicts.append((claim.partition, entity.entity))
        return Written(conflicts)

    def give_up(self) -> None:
        """Do not wait for the outcome."""
        if self._sent is not None:
            self._sent.give_up()
            self._sent = None

    def _make(self, writes: Iterable[tuple[Claim, Iterable[EntityWrite]]]) -> Iterator[Command]:
        """A command for each block of entities; the blocks are noted as they come by."""
        for claim, entities in writes:
            keys, rest = Keys.of(self._store.namespace, claim.partition), iter(entities)
            while block := list(islice(rest, ENTITIES_PER_WRITE)):
                self._blocks.append((claim, block))
                yield _write_command(keys, claim, block)


def _write_command(keys: Keys, claim: Claim, block: Sequence[EntityWrite]) -> Command:
    """The call that writes a block of entities; the names of their fields are sent once."""
    names = block[0].names
    arguments: list[str | bytes | int] = [
        claim.token,
        claim.epoch,
        keys.features_prefix,
        keys.state_prefix,
        claim.partition.topic,
        claim.partition.partition,
        len(names),
        *names,
    ]
    for entity, base_offset, offset, newest_ms, _, lines, delta in block:
        arguments += (entity, base_offset, offset, newest_ms, lines, delta.head, len(delta.dropped), len(delta.changed))
        if delta.dropped:
            arguments += [f"c{number}" for number in delta.dropped]
        for number, chunk in delta.changed.items():
            arguments += (f"c{number}", chunk)
    return call(WRITE, keys[:2], *arguments)


def _check(claim: Claim, expected: Progress | None, stored: list[bytes | None]) -> None:
    """Refuse a partition that is not ours or not where we left it."""
    token, epoch, offset, lateness = stored
    if token != claim.token.encode() or epoch != claim.epoch.encode():
        raise _lost(claim)
    progress = decoded(offset, lateness)
    if progress != expected:
        raise StoreMismatch(f"the progress of {_name(claim)} is {progress}, not {expected}")


def stored_state(reply: list[bytes] | dict[bytes, bytes], epoch: bytes) -> StoredState | None:
    """The state from its hash, or the fields and values of that in turn; None when there is none of this epoch."""
    fields = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
    if fields.get(b"epoch") != epoch:
        return None
    chunks = {int(name[1:]): chunk for name, chunk in fields.items() if name.startswith(b"c")}
    return StoredState(int(fields[b"offset"]), fields.get(b"head", b""), chunks)


def _lost(claim: Claim) -> StoreMismatch:
    return StoreMismatch(f"{_name(claim)} has been taken over by another worker, or Redis has lost it")


def _name(claim: Claim) -> str:
    return f"{claim.partition.topic}-{claim.partition.partition}"
