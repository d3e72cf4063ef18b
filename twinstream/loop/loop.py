"""The lightweight runtime: poll, stamp, load, apply, commit; and one recovery path for everything that can go wrong.

A worker is a cache. What it knows can be read again from Kafka and Redis at any time, so every failure ends the same
way: forget everything, find out where each partition stands, and go on from there.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from twinstream.core.dead_letters import DeadLetter
from twinstream.core.partition import PartitionProcessor
from twinstream.core.shared_topic import keep_letters_once, stamp_together
from twinstream.core.stamping import Stamped, StampingLimits
from twinstream.core.state import EntityState, StateUnreadable, WindowConfig
from twinstream.core.vectors import feature_message
from twinstream.interpreter import forget_cycles
from twinstream.log.contract import (
    EventLog,
    LogError,
    PositionLost,
    Rebalanced,
    Record,
    RecordTooLarge,
    TopicPartition,
)
from twinstream.log.retention import Deleted, IfLogLost, RecordsDeleted
from twinstream.log.topics import dead_letter_topic, feature_log_topic
from twinstream.logging import get_logger
from twinstream.loop.commit import Assigned, AssignedPartition, Portion, Reached, Step, Unsettled, commit, settle
from twinstream.loop.recovery import IF_DELETED
from twinstream.loop.takeover import Started, TakeOver
from twinstream.loop.totals import Totals
from twinstream.online.contract import Load, OnlineStore, Progress, StoredState
from twinstream.online.store_errors import StoreMismatch, StoreUnavailable
from twinstream.registry import Registry
from twinstream.settings import Settings

POLL_MS = 200
FIRST_BACK_OFF_S, LONGEST_BACK_OFF_S = 0.1, 5.0

QUIET_S = 1.0
"""After so long without records the worker looks whether Kafka and Redis are still there, and goes on doing so."""

SLOW_S = 5.0
"""A worker that has been with one batch for so long is not ready: whatever it waits for does not answer."""

OpenLog = Callable[[Rebalanced, Rebalanced], EventLog]

_StampedPart = tuple[Assigned, list[Stamped | DeadLetter]]
"""A group's part of a partition, and what a batch is to it."""


class Loop:
    """One worker of the loop.

    Args:
        open_log: joins the group; gets what to call when partitions come and go.
        store: where states and features live.
        settings: everything configurable.
        if_log_lost: what the user decided for the case that Kafka lost data.
        reached: called after every step of a batch, by its name.
        provide_outputs: sees to it that the topics of the results exist, with as many partitions as their sources have.

    Attributes:
        totals: what has been done so far.
        fault: why the worker is recovering; None while all is well.
        registry: what is computed.
    """

    def __init__(
        self,
        open_log: OpenLog,
        store: OnlineStore,
        settings: Settings,
        registry: Registry,
        *,
        if_log_lost: IfLogLost = IfLogLost.REFUSE,
        reached: Reached = lambda step: None,
        provide_outputs: Callable[[], object] = lambda: None,
    ) -> None:
        self._store = store
        self._settings = settings
        self.registry = registry
        self._if_log_lost = if_log_lost
        self._reached = reached
        self._provide_outputs = provide_outputs
        self._provided: set[TopicPartition] = set()
        self._window = WindowConfig(settings.window_ms, settings.max_events_per_entity)
        self._limits = StampingLimits(settings.max_record_bytes, settings.lateness_ms, settings.max_future_skew_ms)
        self._owned: dict[TopicPartition, AssignedPartition] = {}
        self._to_start: list[TopicPartition] = []
        self._unsettled: Unsettled | None = None
        self._targets: dict[TopicPartition, int] = {}
        self._back_off_s = FIRST_BACK_OFF_S
        self._look_at = time.monotonic() + QUIET_S
        self._cycle_began = time.monotonic()
        self.fault: Exception | None = None
        self.totals = Totals()
        self.log = open_log(self._on_assigned, self._on_revoked)

    # --- the batch cycle -------------------------------------------------------------------------------------------

    def run(self, stop: Callable[[], bool]) -> None:
        """Cycle until told to stop; a batch that has begun is finished first.

        Raises:
            UserError: something that only a person can decide or mend.
        """
        while not (stopping := stop()) or self._unsettled:
            try:
                if stopping:
                    self._settle()
                else:
                    self.cycle()
            except RecordTooLarge:
                raise  # trying again cannot help
            except (LogError, StoreUnavailable, StoreMismatch) as fault:
                self._recover(fault, stop)

    def cycle(self, poll_ms: int = POLL_MS) -> int:
        """Process what one poll brings, as far as sending it to Redis, and settle the batch before.

        Returns:
            The number of records.
        """
        self._cycle_began = time.monotonic()
        if self._to_start:
            self._start_partitions()
        polled = self.log.poll(0 if self._unsettled else poll_ms, self._settings.max_poll_records)
        if not polled:
            if self._unsettled:
                self._settle()
            else:
                self._quiet()
            return 0
        started_s = time.monotonic()
        self._reached(Step.POLLED)
        stamped = {source: self._stamp(source, records) for source, records in polled.items()}
        self._load([part for parts in stamped.values() for part in parts])
        self._reached(Step.LOADED)
        batch = [portion for source, parts in stamped.items() for portion in self._apply(source, polled[source], parts)]
        self._reached(Step.APPLIED)
        self._settle()
        self._make_room(batch)
        self._unsettled = commit(self.log, self._store, self._owned, batch, started_s, self._reached)
        return sum(map(len, polled.values()))

    def _stamp(self, source: TopicPartition, records: list[Record]) -> list[_StampedPart]:
        """The records as each group that reads them sees them."""
        parts = self._owned[source].parts
        return list(zip(parts, stamp_together([part.partition for part in parts], records), strict=True))

    def _load(self, stamped: Sequence[_StampedPart]) -> None:
        """Get the states that are not in memory, and make sure that Redis is as we left it."""
        loads = [Load(owner.held.claim, owner.held.progress, owner.not_kept(items)) for owner, items in stamped]
        for (owner, _), found in zip(stamped, self._store.load(loads), strict=True):
            for entity, stored in found.items():
                if stored is not None:
                    state = self._state_of(owner, entity, stored)
                    if not owner.outdated(state):
                        owner.states[entity] = state

    def _state_of(self, owner: Assigned, entity: str, stored: StoredState) -> EntityState:
        """The state that Redis has of an entity. A damaged one cannot be mended alone: the partition is rebuilt."""
        try:
            return EntityState.load(owner.partition.group, self._window, stored.head, stored.chunks)
        except StateUnreadable as damage:
            self._store.forget(owner.held.claim)
            raise StoreMismatch(f"the state of {entity} cannot be read ({damage}); its partition is rebuilt") from None

    def _apply(self, source: TopicPartition, records: list[Record], stamped: list[_StampedPart]) -> list[Portion]:
        """What the records of a partition bring about in each group; a group that has had all of them is left out."""
        applied = [owner.partition.apply(items, owner.states) for owner, items in stamped]
        keep_letters_once([owner.partition for owner, _ in stamped], applied)
        portions, last = [], records[-1]
        for (owner, _), result in zip(stamped, applied, strict=True):
            for fault in result.faults:
                _logger.error("A definition raised", topic=source.topic, detail=fault.detail, exc_info=fault.__cause__)
            if last.offset < owner.partition.start_at:
                continue
            until_ms = owner.swept_until_ms = owner.partition.sweep_until_ms
            progress = Progress(self.log.position(source), owner.partition.lateness)
            new = _count_from(owner.emit_from, records)
            portions.append(Portion(owner, new, records[0].timestamp, last.timestamp, result, progress, until_ms))
        return portions

    def _settle(self) -> None:
        """See the last batch through, if that has not been done."""
        if self._unsettled is None:
            return
        unsettled = self._unsettled
        conflicts = settle(unsettled, self._reached)
        self._unsettled = None
        self._settled(unsettled.batch)
        self.totals.committed(unsettled.batch, conflicts, time.monotonic() - unsettled.started_s)

    def _settled(self, batch: list[Portion]) -> None:
        """Note what Kafka now has."""
        for portion in batch:
            portion.owner.emit_from = max(portion.owner.emit_from, portion.progress.next_offset)
        self._all_is_well()

    def _make_room(self, batch: list[Portion]) -> None:
        """Forget the entities that have not been used for longest, but none of the batch in hand."""
        capacity = self._settings.cache_entities // max(1, sum(len(owner.parts) for owner in self._owned.values()))
        for portion in batch:
            states, changed = portion.owner.states, portion.applied.changed
            for entity in changed:
                states.touch(entity)
            states.trim(max(capacity, len(changed)))

    def _quiet(self) -> None:
        """Nothing came: see now and then that Kafka is not away, and that Redis is as we left it."""
        if time.monotonic() < self._look_at or self._to_start:
            return
        self.log.ping()
        self._load([(part, []) for part in self._parts()])
        self._all_is_well()

    def _all_is_well(self) -> None:
        self._back_off_s = FIRST_BACK_OFF_S
        self._look_at = time.monotonic() + QUIET_S
        self.fault = None
        self.totals.all_is_well()

    # --- how far it has got ----------------------------------------------------------------------------------------

    def caught_up(self) -> bool:
        """Whether every partition has reached the end that its log had when it was started."""
        return (
            bool(self._owned)
            and not self._to_start
            and not self._unsettled
            and all(self.log.position(source) >= self._targets[source] for source in self._owned)
        )

    def lag(self) -> dict[TopicPartition, int]:
        """Records between each partition's position and its present end; asks Kafka."""
        ends = self.log.end_offsets(self._owned)
        return {source: max(0, end - self.log.position(source)) for source, end in ends.items()}

    @property
    def cached_entities(self) -> int:
        """Entities in memory."""
        return sum(len(part.states) for part in self._parts())

    @property
    def repopulating(self) -> int:
        """Partitions whose features in Redis are incomplete, because they are being rebuilt from the log."""
        return sum(any(map(self._is_rebuilding, owner.parts)) for owner in self._owned.values())

    def _is_rebuilding(self, part: Assigned) -> bool:
        try:
            return self.log.position(part.source) < part.rebuilt_at
        except LogError:  # it is about to be started anew
            return part.rebuilt_at > 0

    def _parts(self) -> Iterator[Assigned]:
        return (part for owner in self._owned.values() for part in owner.parts)

    def ready(self) -> tuple[bool, str]:
        """Whether every assigned partition makes progress; if not, why."""
        if self.fault is not None:
            return False, f"recovering: {self.fault}"
        if self._to_start or not self._owned:
            return False, "waiting for partitions"
        if (slow_s := time.monotonic() - self._cycle_began) > SLOW_S:
            return False, f"waiting for Kafka or Redis for {slow_s:.0f} s"
        well = "every assigned partition makes progress"
        return True, f"{well}; degraded: {self.totals.gone_text}" if self.totals.gone else well

    # --- partitions come and go ------------------------------------------------------------------------------------

    def _on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self._settle()
        self._owned.clear()
        self._to_start = list(partitions)
        self.totals.rebalanced()

    def _on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._settle()
        for source in partitions:
            self._owned.pop(source, None)
            self.totals.metrics.forget_partition(source.topic, source.partition)
        self._to_start = [source for source in self._to_start if source not in partitions]

    def _start_partitions(self) -> None:
        """Start every partition that is waiting for it.

        Raises:
            RecordsDeleted: of all partitions where that is so.
        """
        starting, deleted = len(self._to_start), list[Deleted]()
        if not self._provided.issuperset(self._to_start):
            self._provide_outputs()
            self._provided.update(self._to_start)
        while self._to_start:
            try:
                self._start(self._to_start[-1])
            except RecordsDeleted as error:
                deleted += error.deleted
            self._to_start.pop()  # only now: one that failed goes on waiting
        if deleted:
            raise RecordsDeleted(sorted(deleted), IF_DELETED)
        _logger.info("Partitions started", started=starting, assigned=len(self._owned))

    def _start(self, source: TopicPartition) -> None:
        """The recovery path: claim a partition and continue where Kafka and Redis say, from the least offset wanted."""
        take_over = TakeOver(self.log, self._store, self._settings, self._if_log_lost, self.totals)
        started, marks = take_over.take(source, self.registry.of_topic(source.topic))
        self.log.seek(source, min(each.start.offset for each in started))
        self.log.resume([source])
        self._targets[source] = self.log.end_offset(source)
        parts = [self._part(source, each) for each in started]
        # The last worker may have died in the middle of it.
        self._store.sweep([(part.held.claim, part.partition.sweep_until_ms) for part in parts])
        self._owned[source] = AssignedPartition(source, self.log.topic_id(source.topic), parts, marks)

    def _part(self, source: TopicPartition, started: Started) -> Assigned:
        """A group's part of a partition, as it continues."""
        group, start, held = started.group, started.start, started.held
        _logger.debug(
            "Partition started",
            group=group.name,
            topic=source.topic,
            partition=source.partition,
            offset=start.offset,
            emit_from=start.emit_from,
            rebuilding=held.progress is None and start.offset < start.emit_from,
        )
        partition = PartitionProcessor(
            group,
            self._window,
            self._limits,
            feature_message,
            start_at=start.offset,
            lateness=start.lateness,
            emit_from=start.emit_from,
            forget_until_ms=start.forget_until_ms,
        )
        return Assigned(
            source=source,
            partition=partition,
            held=held,
            emit_from=start.emit_from,
            rebuilt_at=start.emit_from if held.progress is None else 0,
            feature_topic=feature_log_topic(group.name, self._settings.output_prefix).name,
            dead_letter_topic=dead_letter_topic(source.topic, self._settings.output_prefix).name,
        )

    # --- failures --------------------------------------------------------------------------------------------------

    def _recover(self, fault: Exception, stop: Callable[[], bool]) -> None:
        """Forget what this worker knows, wait a little, and let the next cycle start every partition anew."""
        _logger.warning("Recovering", cause=type(fault).__name__, detail=str(fault))
        self.fault = fault.with_traceback(None)  # whose frames have all the states in them
        self.totals.recovering(fault)
        self._owned.clear()
        self._provided.clear()
        if self._unsettled:
            self._unsettled.published.give_up()
            self._unsettled = None
        forget_cycles()
        with suppress(LogError):  # a partition that is being taken from us cannot be paused, and need not be
            self.log.pause(self.log.assignment())
        while not stop():
            self._wait(stop)
            try:
                if isinstance(fault, LogError) and not isinstance(fault, PositionLost):
                    self.log.recover()
            except LogError as still_away:
                _logger.warning("Kafka is still away", detail=str(still_away))
            else:
                self._to_start = sorted(self.log.assignment())
                self._look_at = time.monotonic() + QUIET_S
                return

    def _wait(self, stop: Callable[[], bool]) -> None:
        """Back off, polling on with everything paused, so that the group does not miss this member."""
        until = time.monotonic() + self._back_off_s
        self._back_off_s = min(2 * self._back_off_s, LONGEST_BACK_OFF_S)
        while not stop() and (left_s := until - time.monotonic()) > 0:
            try:
                self.log.poll(min(POLL_MS, int(left_s * 1000) + 1), 1)
            except LogError:
                time.sleep(min(left_s, 0.1))


def _count_from(offset: int, records: Sequence[Record]) -> int:
    """How many of the records stand at an offset or behind it."""
    if records[0].offset >= offset:
        return len(records)
    return sum(record.offset >= offset for record in records)


_logger = get_logger(__name__)
