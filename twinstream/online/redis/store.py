"""The online store in Redis: features for everyone, states and progress for the workers.

Scripts check token and place in the same step as they change something, so the contract's fencing is Redis' own.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import redis

from twinstream.online.contract import (
    Claim,
    EntityName,
    EntityWrite,
    Finish,
    Found,
    Load,
    Partition,
    Progress,
    Recorded,
    StoredState,
    Writes,
    Written,
)
from twinstream.online.redis.keys import Keys, features_key, writer_key
from twinstream.online.redis.pipelined import Command, Packed, PipelinedClient, Sent, call
from twinstream.online.redis.progress import decoded, lateness_text
from twinstream.online.redis.reads import (
    fields_of,
    found_in,
    progress_command,
    read_commands,
    recorded_in,
    stored_state,
)
from twinstream.online.redis.scripts import CLAIM, FINISH, SWEEP, WRITE
from twinstream.online.single_writer import OtherWriter, Runtime, Writer
from twinstream.online.store_errors import StoreMismatch, taken_over

ENTITIES_PER_WRITE = 32
"""Entities written by one script call: few enough that other clients of Redis wait a millisecond at most."""

ENTITIES_PER_SWEEP = 500
"""Entities removed by one script call."""

KEYS_PER_SCAN = 1_000
"""Keys that Redis looks at in one step of a scan."""

_EVERYTHING = "+inf"


class RedisStore:
    """One Redis as `OnlineStore`. Use `twinstream.online.redis.connection.connect` to get one.

    Args:
        client: replies as bytes.
        namespace: keeps the states of two consumer groups apart.
        address: of Redis, for messages.
        runtime: what claims partitions with it.
    """

    def __init__(self, client: redis.Redis, namespace: str, address: str, runtime: Runtime = Runtime.LOOP) -> None:
        self._namespace = namespace
        self._writer = Writer(runtime, namespace)
        self._pipe = PipelinedClient(client, address)

    # --- what anybody may ask ---------------------------------------------------------------------------------------

    def ping(self) -> None:
        """Return if Redis answers."""
        self._pipe.run([("PING",)])

    def close(self) -> None:
        """Close the connections."""
        self._pipe.close()

    def state(self, group: str, entity: str) -> tuple[Partition, StoredState] | None:
        """The state that the entity's features were made from, in one round trip."""
        (found,) = self.states([(group, entity)])
        return None if found is None or found.stored is None else (found.source, found.stored)

    def states(self, entities: Sequence[EntityName]) -> list[Found | None]:
        """What there is of each of some entities."""
        return found_in(entities, self._pipe.run(read_commands(self._namespace, entities)))

    def features(self, group: str, entity: str) -> dict[str, str]:
        """What everybody reads of an entity."""
        (reply,) = self._pipe.run([("HGETALL", features_key(group, entity))])
        return _text(reply)

    def all_features(self, group: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Every entity's features. A scan may come by a key more than once: the names are kept meanwhile."""
        prefix = features_key(group, "").encode()
        seen: set[bytes] = set()
        cursor = b"0"
        while True:
            scan: Command = ("SCAN", cursor, "MATCH", prefix + b"*", "COUNT", KEYS_PER_SCAN)
            ((cursor, found),) = self._pipe.run([scan])
            keys = list(set(found) - seen)
            seen.update(keys)
            for key, reply in zip(keys, self._pipe.run([("HGETALL", key) for key in keys]), strict=True):
                if fields := _text(reply):
                    yield key[len(prefix) :].decode(), fields
            if int(cursor) == 0:
                return

    def progress(self, partition: Partition) -> Recorded | None:
        """How far a partition has been written."""
        (reply,) = self._pipe.run([progress_command(self._namespace, partition)])
        return recorded_in(reply)

    # --- taking a partition over ------------------------------------------------------------------------------------

    def check_writer(self, groups: Iterable[str]) -> None:
        """Return if these groups' features are this store's to write, or nobody's so far."""
        for group in groups:
            (known,) = self._pipe.run([("HMGET", writer_key(group), "runtime", "consumer_group")])
            if known[0] is not None and tuple(each.decode() for each in known) != self._writer:
                raise self._other_writer(group, known)

    def claim(self, partition: Partition, epoch: str) -> tuple[Claim, Progress | None]:
        """Take a partition over from whoever had it."""
        claim = Claim(partition, epoch, uuid.uuid4().hex)
        found = self._take(claim, epoch, "")
        while not found:
            self._sweep([claim], [_EVERYTHING])
            found = self._take(claim, epoch, "held")
        return claim, decoded(*found)

    def forget(self, claim: Claim) -> None:
        """Remove all that is stored of a partition; the claim stays good."""
        self._take(claim, "", "held")  # no epoch
        self._sweep([claim], [_EVERYTHING])
        self._take(claim, claim.epoch, "held")

    # --- a batch ----------------------------------------------------------------------------------------------------

    def load(self, loads: Sequence[Load]) -> list[dict[str, StoredState | None]]:
        """The stored states of some entities, in one round trip."""
        commands: list[Command] = []
        for claim, _, entities in loads:
            keys = self._keys(claim)
            commands.append(("HMGET", keys.progress, "token", "epoch", "offset", "max_event_time"))
            commands += [("HGETALL", keys.state_prefix + entity) for entity in entities]
        replies = iter(self._pipe.run(commands))
        results = []
        for claim, expected, entities in loads:
            _check(claim, expected, next(replies))
            epoch = claim.epoch.encode()
            results.append({entity: stored_state(next(replies), epoch) for entity in entities})
        return results

    def write(self, writes: Writes) -> Written:
        """Replace features and change states, in one round trip. Redis executes the first while the last are made."""
        batch = self.writing(writes)
        batch.send()
        return batch.outcome()

    def writing(self, writes: Writes) -> "RedisBatchWrite":
        """The same in steps, for a caller who has other things to do meanwhile."""
        return RedisBatchWrite(self._pipe, self._namespace, writes)

    def finish(self, finishes: Sequence[Finish]) -> int:
        """Move the progress of some partitions on and remove their outdated entities, mostly in one round trip."""
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
        removed: list[int] = self._pipe.run(commands)
        for finish, number in zip(finishes, removed, strict=True):
            if number == -1:
                raise taken_over(finish.claim)
            if number < 0:
                raise StoreMismatch(f"the progress of {finish.claim.partition} is not {finish.expected}")
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
        """Remove the entities whose newest event is not newer than a time (ms), and count them."""
        return self._sweep([claim for claim, _ in sweeps], [until_ms for _, until_ms in sweeps])

    # --- the commands -----------------------------------------------------------------------------------------------

    def _take(self, claim: Claim, epoch: str, held: str) -> list[bytes | None]:
        """The stored offset and newest event time of the epoch; empty when another epoch's leftovers are in the way."""
        places = *self._keys(claim)[:2], writer_key(claim.partition.group)
        ((code, *stored),) = self._pipe.run([call(CLAIM, places, claim.token, epoch, held, *self._writer)])
        if code == -2:
            raise self._other_writer(claim.partition.group, stored)
        if code < 0:
            raise taken_over(claim)
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
            removed = self._pipe.run(commands)
            for (claim, _), number in zip(left, removed, strict=True):
                if number < 0:
                    raise taken_over(claim)
            total += sum(removed)
            left = [job for job, number in zip(left, removed, strict=True) if number == ENTITIES_PER_SWEEP]
        return total

    def _removal(self, claim: Claim, until_ms: int | str) -> Command:
        keys, (topic, number, _) = self._keys(claim), claim.partition
        return until_ms, ENTITIES_PER_SWEEP, keys.features_prefix, keys.state_prefix, topic, number

    def _keys(self, claim: Claim) -> Keys:
        return Keys.of(self._namespace, claim.partition)

    def _other_writer(self, group: str, known: Sequence[bytes | None]) -> OtherWriter:
        """The refusal, from what is stored of who writes a group's features."""
        runtime, consumer_group = ((each or b"").decode() for each in known)
        return OtherWriter(f"Redis at {self._pipe.address}", group, (runtime, consumer_group), self._writer)


class RedisBatchWrite:
    """The fenced writes of a batch: commands that are made, sent, and found to have been done or not.

    Args:
        pipe: the server.
        namespace: of the states.
        writes: what to write.
    """

    def __init__(self, pipe: PipelinedClient, namespace: str, writes: Writes) -> None:
        self._pipe = pipe
        self._namespace = namespace
        self._blocks: list[tuple[Claim, Sequence[EntityWrite]]] = []
        self._commands = Packed(self._make(writes))
        self._sent: Sent | None = None

    def make(self) -> None:
        """Make all commands now, before any is sent; otherwise they are made while the first are being executed."""
        self._commands.pack()

    def send(self) -> None:
        """Send everything."""
        self._sent = self._pipe.send(self._commands)

    def outcome(self) -> Written:
        """Wait until everything has been written."""
        assert self._sent is not None, "nothing has been sent"
        sent, self._sent = self._sent, None
        conflicts = []
        for (claim, block), outcome in zip(self._blocks, sent.replies(), strict=True):
            if not outcome:
                raise taken_over(claim)
            for entity, code in zip(block, outcome, strict=True):
                if not code:
                    raise StoreMismatch(f"{entity.entity} in {claim.partition} is not at offset {entity.base_offset}")
                if code > 1:
                    conflicts.append((claim.partition, entity.entity))
        return Written(conflicts)

    def give_up(self) -> None:
        """Do not wait for the outcome."""
        if self._sent is not None:
            self._sent.give_up()
            self._sent = None

    def _make(self, writes: Writes) -> Iterator[Command]:
        """A command for each block of entities; the blocks are noted as they come by."""
        for claim, entities in writes:
            keys, rest = Keys.of(self._namespace, claim.partition), iter(entities)
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
        raise taken_over(claim)
    progress = decoded(offset, lateness)
    if progress != expected:
        raise StoreMismatch(f"the progress of {claim.partition} is {progress}, not {expected}")


def _text(reply: list[bytes] | dict[bytes, bytes]) -> dict[str, str]:
    """A hash of readable fields."""
    return {name.decode(): value.decode() for name, value in fields_of(reply).items()}
