"""One partition's part of Redis, kept equal to its keyed state.

After a restore the job reads again what it has read before, and Redis is ahead of it: then nothing is written until a
batch passes Redis' own progress. From there on the first write of each entity replaces whatever Redis has of it, since
an earlier run may have cut the entity's events into other chunks; later writes only send what changed. Which of the two
an entity needs is told by `written_by` in its keyed state: the claim under which Redis got it.

A batch's writes are sent when it has been computed, and settled when the next one has been, too: so Redis is at work
while the job is. What has not been settled when a checkpoint is taken is in the checkpoint, and Redis' progress tells
after a restore whether it got there.

When Redis turns out to be less far than it was, or than keyed state was kept, the entities that have changed since are
written anew from keyed state: all of them when it has lost everything, few when a restored batch had not been settled.
A batch finds that out by itself; while none comes, somebody has to ask now and then (`has_lost`).
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from twinstream.core.feature_group import FeatureGroup
from twinstream.core.lateness import NOTHING_SEEN
from twinstream.core.state import EntityState, StateDelta
from twinstream.job.keyed_state import EntityStates
from twinstream.logging import get_logger
from twinstream.online.contract import BatchWrite, Claim, EntityWrite, Finish, Load, OnlineStore, Progress
from twinstream.online.contract import Partition as Source
from twinstream.online.progress import has_lost
from twinstream.online.store_errors import StoreMismatch, StoreUnavailable

ENTITIES_AT_ONCE = 500
"""Entities read and written in one round trip while everything is written anew."""

PATIENCE_S = 60.0
"""How long a batch waits for Redis before it fails, which makes Flink restore the last checkpoint and try again."""

_ATTEMPTS = 3
"""How often a batch may find the partition taken over before it gives way."""

NOT_IN_REDIS = ""


class Change(NamedTuple):
    """An entity that a batch changed.

    Attributes:
        state: of the entity, which may have gone on by the time that the change is written.
        write: the change.
        known: Redis has the state before the batch from this claim, or there was none.
    """

    state: EntityState
    write: EntityWrite
    known: bool


class _Sent(NamedTuple):
    """A batch on its way to Redis; without `writes` it has not been sent yet. `writer` is the claim it was made for."""

    writer: str
    changes: Sequence[Change]
    after: Progress
    sweep_until_ms: int
    writes: BatchWrite | None


class Mirror:
    """The right to write one partition's features and states, and what Redis is known to have of them.

    Args:
        store: Redis.
        source: topic, number and group.
        group: for the names of the fields.
        epoch: names everything the states depend on.
        tell: told whether Redis answers, while it does not and when it does again.

    Attributes:
        conflicts: entities written so far, batch by batch, that another partition has features of too.
    """

    def __init__(
        self,
        store: OnlineStore,
        source: Source,
        group: FeatureGroup,
        epoch: str,
        tell: Callable[[bool], None] = lambda up: None,
    ) -> None:
        self._store = store
        self._tell = tell
        self._source = source
        self._group = group
        self._epoch = epoch
        self._claim: Claim | None = None
        self._progress: Progress | None = None
        self._reached = Progress(0, NOTHING_SEEN)  # by Redis, if it has lost nothing since
        self._sent: _Sent | None = None
        self.conflicts = 0

    def hold(self, entities: EntityStates, kept: Progress, sweep_until_ms: int) -> None:
        """Take the partition over, unless that has been done, and bring Redis as far as keyed state is."""
        if self._claim is None:
            self._reached = kept
            self._patiently(lambda: self._begin(entities, sweep_until_ms))

    def writer_after(self, after: Progress) -> str:
        """What to note as the writer of the entities of a batch that ends there."""
        assert self._claim is not None
        return NOT_IN_REDIS if self._has(after) else self._claim.token

    @property
    def unsettled(self) -> bool:
        """Whether a batch has been sent and not been settled."""
        return self._sent is not None

    def send(self, changes: Sequence[Change], after: Progress, sweep_until_ms: int, writer: str) -> None:
        """Set off a batch's changes, and what is to follow them, unless Redis has them.

        The batch before has to be settled. `writer` is what `writer_after` said before that.
        """
        if self._has(after):
            return
        assert self._claim is not None
        assert not self.unsettled, "the batch before has not been settled"
        writes = None
        if writer == self._claim.token and all(change.known for change in changes):
            writes = self._store.writing([(self._claim, (change.write for change in changes))])
            try:
                writes.send()
            except StoreUnavailable:
                writes = None
        self._sent = _Sent(writer, changes, after, sweep_until_ms, writes)

    def settle(self, entities: EntityStates) -> None:
        """See to it that Redis has the last batch, if one was sent; then save the progress after it, and sweep.

        Raises:
            StoreUnavailable: Redis has been away for longer than `PATIENCE_S`.
            StoreMismatch: another worker keeps taking the partition over.
        """
        if self._sent is None:
            return
        sent, self._sent = self._sent, None
        if not self._confirmed(sent):
            self._patiently(lambda: self._write(entities, sent))

    def has_lost(self, kept: Progress) -> bool:
        """Whether Redis lacks what keyed state has; False while it does not answer."""
        try:
            return has_lost(self._store, self._source, self._epoch, kept)
        except StoreUnavailable:
            return False

    def repopulate(self, entities: EntityStates, kept: Progress) -> None:
        """Take the partition over and bring Redis as far as keyed state is, after it has lost something.

        Raises:
            StoreUnavailable: as `settle`.
        """
        self._reached = kept
        try:
            self._patiently(lambda: self._take_over(entities))
        except StoreMismatch as mismatch:  # who takes it meanwhile sees to it; so does the next batch
            _logger.warning("Redis is not as we left it", detail=str(mismatch))

    def leave(self) -> None:
        """Settle the last batch if Redis answers; if not, its progress tells whoever comes next."""
        if self._sent is not None:
            self._confirmed(self._sent)
            self._sent = None

    def _confirmed(self, sent: _Sent) -> bool:
        """Wait for what was sent, and move the progress on; whether that succeeded."""
        if sent.writes is None:
            return False
        try:
            conflicts = sent.writes.outcome().conflicts
            self._finish(sent.after, sent.sweep_until_ms)
        except (StoreUnavailable, StoreMismatch):
            return False
        self.conflicts += len(conflicts)
        return True

    def _finish(self, after: Progress, sweep_until_ms: int | None = None) -> None:
        assert self._claim is not None
        self._store.finish([Finish(self._claim, self._progress, after, sweep_until_ms)])
        self._progress = self._reached = after

    def _has(self, after: Progress) -> bool:
        """Whether Redis has got so far."""
        return after.next_offset <= (0 if self._progress is None else self._progress.next_offset)

    def _write(self, entities: EntityStates, sent: _Sent) -> None:
        for attempt in range(_ATTEMPTS):
            assert self._claim is not None
            taken_over = sent.writer != self._claim.token
            known = [change for change in sent.changes if change.known and not taken_over]
            others = [change for change in sent.changes if taken_over or not change.known]
            try:
                self._restore(entities)  # in which Redis may have gone away
                self._write_known(known)
                self._replace(entities, ((change.write.entity, change.state) for change in others))
                self._finish(sent.after, sent.sweep_until_ms)
            except StoreMismatch as mismatch:
                if attempt == _ATTEMPTS - 1:
                    raise
                _logger.warning("Redis is not as we left it", detail=str(mismatch))
                self._take_over(entities)
                if self._has(sent.after):
                    return
            else:
                return

    def _write_known(self, changes: Sequence[Change]) -> None:
        assert self._claim is not None
        self.conflicts += len(self._store.write([(self._claim, (change.write for change in changes))]).conflicts)

    def _begin(self, entities: EntityStates, sweep_until_ms: int) -> None:
        self._take_over(entities)
        assert self._claim is not None
        self._store.sweep([(self._claim, sweep_until_ms)])  # which the last run may not have come to

    def _take_over(self, entities: EntityStates) -> None:
        """Claim the partition, and see to it that Redis has what it had."""
        self._claim, self._progress = self._store.claim(self._source, self._epoch)
        self._restore(entities)

    def _restore(self, entities: EntityStates) -> None:
        """Write what has changed since, if Redis is not as far as it was."""
        if self._has(self._reached):
            return
        offset = 0 if self._progress is None else self._progress.next_offset
        names = entities.changed_since(offset)
        _logger.warning(
            "Redis is behind and gets states from Flink's",
            topic=self._source.topic,
            partition=self._source.partition,
            offset=offset,
            entities=len(names),
        )
        self._replace(entities, ((name, state) for name in names if (state := entities.get(name)) is not None))
        self._finish(self._reached)

    def _replace(self, entities: EntityStates, states: Iterable[tuple[str, EntityState]]) -> None:
        """Write whole states over what Redis has, unless that is newer already."""
        assert self._claim is not None
        remaining = iter(states)
        while block := list(islice(remaining, ENTITIES_AT_ONCE)):
            (there,) = self._store.load([Load(self._claim, self._progress, [entity for entity, _ in block])])
            writes = []
            for entity, state in block:
                found = there[entity]
                base_offset = -1 if found is None else found.offset
                older = base_offset < state.applied_offset
                if older:
                    whole = state.stored()
                    dropped = [] if found is None else list(found.chunks.keys() - whole.changed.keys())
                    delta = StateDelta(whole.head, whole.changed, dropped)
                    writes.append(EntityWrite.of(self._group, entity, base_offset, state, delta))
                entities.note_writer(entity, self._claim.token if older else NOT_IN_REDIS)
            self.conflicts += len(self._store.write([(self._claim, writes)]).conflicts)
            entities.trim()

    def _patiently(self, attempt: Callable[[], None]) -> None:
        """Repeat an attempt while Redis is away."""
        retrying = Retrying(
            retry=retry_if_exception_type(StoreUnavailable),
            wait=wait_exponential(0.1, max=2.0),
            stop=stop_after_delay(PATIENCE_S),
            before_sleep=self._note_away,
            reraise=True,
        )
        retrying(attempt)
        self._tell(True)

    def _note_away(self, state: RetryCallState) -> None:
        self._tell(False)
        _logger.warning("Redis is away", attempt=state.attempt_number)


_logger = get_logger(__name__)
