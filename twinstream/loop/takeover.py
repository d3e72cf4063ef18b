"""Taking a partition over: claim it, find out how each group continues, carry out what the user decided on losses."""

from collections.abc import Sequence
from dataclasses import dataclass

from twinstream.core.feature_group import FeatureGroup
from twinstream.log.contract import EventLog, TopicPartition
from twinstream.log.retention import Deleted, IfLogLost, RecordsDeleted
from twinstream.logging import get_logger
from twinstream.loop.recovery import IF_DELETED, Marks, Start, committing, marks_of, plan_start
from twinstream.loop.totals import Totals
from twinstream.online.contract import OnlineStore, Partition, Progress
from twinstream.online.epoch import epoch
from twinstream.online.write_behind import Held, advance
from twinstream.settings import Settings


@dataclass(frozen=True, slots=True)
class Started:
    """A group's part of a partition that is ours.

    Attributes:
        group: which.
        held: the right to write it, and how far Redis has it; not at all when it has to be rebuilt.
        start: how it continues.
    """

    group: FeatureGroup
    held: Held
    start: Start


@dataclass(frozen=True, slots=True)
class TakeOver:
    """What taking partitions over needs.

    Attributes:
        log, store: Kafka and Redis.
        settings: windows, lateness and skew.
        if_log_lost: what the user decided for the case that Kafka lost data.
        totals: told what Kafka has deleted.
    """

    log: EventLog
    store: OnlineStore
    settings: Settings
    if_log_lost: IfLogLost
    totals: Totals

    def take(self, source: TopicPartition, groups: Sequence[FeatureGroup]) -> tuple[list[Started], Marks]:
        """Claim a partition and decide how each group continues; what a decision changes is noted in Kafka and Redis.

        Returns:
            Each group's part, and C of all groups.

        Raises:
            UserError: Kafka lost data and nobody has decided what to do, or Redis has another writer.
            RecordsDeleted: retention has passed what a group has to read next, likewise.
            LogError, StoreUnavailable: one of them does not answer.
        """
        topic_id = self.log.topic_id(source.topic)
        committed = self.log.committed(source)
        marks = marks_of(committed, topic_id)
        reset = committed.offset if committed is not None and marks is None else None
        marks, deleted, started = dict(marks or {}), list[Deleted](), list[Started]()
        for group in groups:
            held = self._claim(source, group, topic_id)
            try:
                start = plan_start(
                    self.log,
                    source,
                    marks.get(group.name),
                    held.progress,
                    self.settings,
                    self.if_log_lost,
                    reset,
                )
            except RecordsDeleted as error:
                deleted += error.deleted
            else:
                started.append(Started(group, held, start))
        if deleted:
            raise RecordsDeleted(deleted, IF_DELETED)
        gone = max((each.start.deleted for each in started if each.start.deleted), default=None, key=_count)
        if gone is not None:
            self.totals.gone_without(gone)
        for each in started:
            if reset is not None:
                _say_reset(source, reset, each)
            self._carry_out(source, each)
        decided = {each.group.name: each.start.commit for each in started if each.start.commit is not None}
        if decided:
            marks |= decided
            with self.log.transaction() as transaction:
                names = [group.name for group in groups]
                transaction.commit_offsets({source: committing(topic_id, marks, names)})
        for each in started:
            if each.start.deleted is not None and each.held.progress is not None:
                advance(self.store, each.held, Progress(each.start.offset, each.start.lateness))
        return started, marks

    def _claim(self, source: TopicPartition, group: FeatureGroup, topic_id: str) -> Held:
        current = epoch(topic_id, group, self.settings)
        return Held(*self.store.claim(Partition(source.topic, source.partition, group.name), current))

    def _carry_out(self, source: TopicPartition, started: Started) -> None:
        """Make Redis what the decision says; say what a rebuild will lack."""
        start, held = started.start, started.held
        if start.rebuild:
            self.store.forget(held.claim)
            held.progress = None
        if start.incomplete:
            _logger.warning(
                "Kafka has deleted what a rebuild reads: features may lack events until two windows have passed",
                topic=source.topic,
                partition=source.partition,
                first_offset=start.offset,
            )


def _count(deleted: Deleted) -> int:
    return deleted.count


def _say_reset(source: TopicPartition, reset: int, started: Started) -> None:
    """One line for an offset that was set with a tool of Kafka's: what was found, and what wins."""
    place = {"group": started.group.name, "topic": source.topic, "partition": source.partition, "offset_set": reset}
    progress, start = started.held.progress, started.start
    if progress is not None and not start.rebuild:
        if progress.next_offset != reset:
            _logger.warning(
                "The group's offset was set with another tool; Redis knows how far the partition was processed, and "
                "wins: the offset is set back. To process again, set it once more and start with --if-log-lost rebuild",
                **place,
                processed_up_to=progress.next_offset,
            )
    else:
        _logger.warning(
            "The group's offset was set with another tool, and wins: what comes after it is processed and emitted, "
            "whether or not it was before",
            **place,
            emit_from=start.emit_from,
        )


_logger = get_logger(__name__)
