"""One partition's part of the online store, kept equal to its keyed state.

After a restore the job reads again what it has read before, and the store is ahead of it: then nothing is written until
a batch passes the store's own progress. From there on the first write of each entity replaces whatever the store has of
it, since an earlier run may have cut the entity's events into other chunks; later writes only send what changed. Which
of the two an entity needs is told by `written_by` in its keyed state: the claim under which the store got it.

What has not been settled when a checkpoint is taken is in the checkpoint, and the store's progress tells after a
restore whether it got there.

When the store turns out to be less far than it was, or than keyed state was kept, the entities that have changed since
are written anew from keyed state: all of them when it has lost everything, few when a restored batch had not been
settled. A batch finds that out by itself; while none comes, somebody has to ask now and then (`has_lost`).
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from twinstream.core.feature_group import FeatureGroup
from twinstream.core.lateness import NOTHING_SEEN
from twinstream.core.state import EntityState
from twinstream.job.keyed_state import EntityStates
from twinstream.logging import get_logger
from twinstream.online.contract import EntityWrite, OnlineStore, Partition, Progress
from twinstream.online.progress import has_lost
from twinstream.online.store_errors import StoreMismatch, StoreUnavailable
from twinstream.online.write_behind import Held, Part, Prepared, Published, advance, restore

ENTITIES_AT_ONCE = 500
"""Entities read and written in one round trip while everything is written anew."""

PATIENCE_S = 60.0
"""How long a batch waits for the store before it fails, which makes Flink restore the last checkpoint and try again."""

_ATTEMPTS = 3
"""How often a batch may find the partition taken over before it gives way."""

NOT_IN_STORE = ""


class Change(NamedTuple):
    """An entity that a batch changed.

    Attributes:
        state: of the entity, which may have gone on by the time that the change is written.
        write: the change.
        known: the store has the state before the batch from this claim, or there was none.
    """

    state: EntityState
    write: EntityWrite
    known: bool


class _Batch(NamedTuple):
    """A batch that is not settled, and the claim it was made for; `published` is None when it is not on its way."""

    writer: str
    changes: Sequence[Change]
    after: Progress
    sweep_until_ms: int
    published: Published | None


class StoredPartition:
    """The right to write one partition's features and states, and what the store is known to have of them.

    Args:
        store: the online store.
        source: topic, number and group.
        group: for the names of the fields.
        epoch: names everything the states depend on.
        tell: told whether the store answers, while it does not and when it does again.

    Attributes:
        conflicts: entities written so far, batch by batch, that another partition has features of too.
    """

    def __init__(
        self,
        store: OnlineStore,
        source: Partition,
        group: FeatureGroup,
        epoch: str,
        tell: Callable[[bool], None] = lambda up: None,
    ) -> None:
        self._store = store
        self._tell = tell
        self._source = source
        self._group = group
        self._epoch = epoch
        self._held: Held | None = None
        self._reached = Progress(0, NOTHING_SEEN)  # by the store, if it has lost nothing since
        self._unsettled: _Batch | None = None
        self.conflicts = 0

    @property
    def unsettled(self) -> bool:
        """Whether a batch has been published and not been settled."""
        return self._unsettled is not None

    def hold(self, entities: EntityStates, kept: Progress, sweep_until_ms: int) -> Held:
        """Take the partition over, unless that has been done, and bring the store as far as keyed state is.

        Raises:
            StoreUnavailable: the store has been away for longer than `PATIENCE_S`.
        """
        if self._held is None:
            self._reached = kept
            self._patiently(lambda: self._begin(entities, sweep_until_ms))
        assert self._held is not None
        return self._held

    def publish(
        self,
        held: Held,
        entities: EntityStates,
        after: Progress,
        sweep_until_ms: int,
        keep: Callable[[str], Sequence[Change]],
    ) -> None:
        """Keep a batch's changes, see to it that the store has the batch before, and set this one off.

        Nothing is set off that the store has already.

        Args:
            held: what `hold` returned before the batch was computed.
            entities: the keyed state.
            after: where the partition stands after the batch.
            sweep_until_ms: up to which newest event time its entities may then go.
            keep: writes the changes to keyed state, as got by the store under the claim that it is given.

        Raises:
            StoreUnavailable, StoreMismatch: as `settle`.
        """
        writer = NOT_IN_STORE if self._has(held, after) else held.claim.token
        changes = keep(writer)
        self.settle(held, entities)
        if not self._has(held, after):
            published = self._published(held, changes, after, sweep_until_ms, writer)
            self._unsettled = _Batch(writer, changes, after, sweep_until_ms, published)

    def settle(self, held: Held, entities: EntityStates) -> None:
        """See to it that the store has the last batch, if one was published.

        Raises:
            StoreUnavailable: the store has been away for longer than `PATIENCE_S`.
            StoreMismatch: another worker keeps taking the partition over.
        """
        if self._unsettled is None:
            return
        batch, self._unsettled = self._unsettled, None
        if not self._confirmed(batch):
            self._patiently(lambda: self._write(held, entities, batch))

    def has_lost(self, kept: Progress) -> bool:
        """Whether the store lacks what keyed state has; False while it does not answer."""
        try:
            return has_lost(self._store, self._source, self._epoch, kept)
        except StoreUnavailable:
            return False

    def repopulate(self, entities: EntityStates, kept: Progress) -> None:
        """Take the partition over and bring the store as far as keyed state is, after it has lost something.

        Raises:
            StoreUnavailable: as `settle`.
        """
        self._reached = kept
        try:
            self._patiently(lambda: self._take_over(entities))
        except StoreMismatch as mismatch:  # who takes it meanwhile sees to it; so does the next batch
            _logger.warning("Redis is not as we left it", detail=str(mismatch))

    def leave(self) -> None:
        """Settle the last batch if the store answers; if not, its progress tells whoever comes next."""
        if self._unsettled is not None:
            self._confirmed(self._unsettled)
            self._unsettled = None

    def _published(
        self, held: Held, changes: Sequence[Change], after: Progress, sweep_until_ms: int, writer: str
    ) -> Published | None:
        """The batch on its way; None when it needs more than its changes, or the store does not answer."""
        if writer != held.claim.token or not all(change.known for change in changes):
            return None
        try:
            return self._prepared(held, changes, after, sweep_until_ms).publish()
        except StoreUnavailable:
            return None

    def _prepared(self, held: Held, changes: Iterable[Change], after: Progress, sweep_until_ms: int) -> Prepared:
        return Prepared(self._store, [Part(held, (change.write for change in changes), after, sweep_until_ms)])

    def _confirmed(self, batch: _Batch) -> bool:
        """Wait for what was set off, and move the progress on; whether that succeeded."""
        if batch.published is None:
            return False
        try:
            self._settled(batch.published, batch.after)
        except (StoreUnavailable, StoreMismatch):
            return False
        return True

    def _settled(self, published: Published, after: Progress) -> None:
        self.conflicts += len(published.settle())
        self._reached = after

    def _write(self, held: Held, entities: EntityStates, batch: _Batch) -> None:
        """Write a batch that was not set off, or did not get there."""
        for attempt in range(_ATTEMPTS):
            taken_over = batch.writer != held.claim.token
            known = [change for change in batch.changes if change.known and not taken_over]
            others = [change for change in batch.changes if taken_over or not change.known]
            try:
                self._catch_up(held, entities)  # in which the store may have gone away
                self._replace(held, entities, ((change.write.entity, change.state) for change in others))
                published = self._prepared(held, known, batch.after, batch.sweep_until_ms).publish()
                self._settled(published, batch.after)
            except StoreMismatch as mismatch:
                if attempt == _ATTEMPTS - 1:
                    raise
                _logger.warning("Redis is not as we left it", detail=str(mismatch))
                held = self._take_over(entities)
                if self._has(held, batch.after):
                    return
            else:
                return

    def _begin(self, entities: EntityStates, sweep_until_ms: int) -> None:
        held = self._take_over(entities)
        self._store.sweep([(held.claim, sweep_until_ms)])  # which the last run may not have come to

    def _take_over(self, entities: EntityStates) -> Held:
        """Claim the partition, and see to it that the store has what it had."""
        claim, progress = self._store.claim(self._source, self._epoch)
        if self._held is None:
            self._held = Held(claim, progress)
        self._held.claim, self._held.progress = claim, progress
        self._catch_up(self._held, entities)
        return self._held

    def _catch_up(self, held: Held, entities: EntityStates) -> None:
        """Write what has changed since, if the store is not as far as it was."""
        if self._has(held, self._reached):
            return
        names = entities.changed_since(held.next_offset)
        _logger.warning(
            "Redis is behind and gets states from Flink's",
            topic=self._source.topic,
            partition=self._source.partition,
            offset=held.next_offset,
            entities=len(names),
        )
        self._replace(held, entities, ((name, state) for name in names if (state := entities.get(name)) is not None))
        advance(self._store, held, self._reached)

    def _replace(self, held: Held, entities: EntityStates, states: Iterable[tuple[str, EntityState]]) -> None:
        """Write whole states over what the store has, unless that is newer already."""
        remaining = iter(states)
        while block := list(islice(remaining, ENTITIES_AT_ONCE)):
            restored = restore(self._store, held, self._group, block)
            for entity, _ in block:
                entities.note_writer(entity, held.claim.token if entity in restored.written else NOT_IN_STORE)
            self.conflicts += len(restored.conflicts)
            entities.trim()

    @staticmethod
    def _has(held: Held, after: Progress) -> bool:
        """Whether the store has got so far."""
        return after.next_offset <= held.next_offset

    def _patiently(self, attempt: Callable[[], object]) -> None:
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
