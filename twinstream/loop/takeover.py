"""Taking a partition over: claim it, find out how it continues, and carry out what the user decided about losses."""

from dataclasses import dataclass

from twinstream.core.feature_group import FeatureGroup
from twinstream.log.contract import Committed, EventLog, TopicPartition
from twinstream.log.retention import IfLogLost
from twinstream.logging import get_logger
from twinstream.loop.recovery import Start, committed_metadata, encode_metadata, plan_start, set_by_others
from twinstream.loop.totals import Totals
from twinstream.online.contract import OnlineStore, Partition, Progress
from twinstream.online.epoch import epoch
from twinstream.online.write_behind import Held, advance
from twinstream.settings import Settings


@dataclass(frozen=True, slots=True)
class Started:
    """A partition that is ours.

    Attributes:
        held: the right to write it, and how far Redis has it; not at all when it has to be rebuilt.
        start: how it continues.
    """

    held: Held
    start: Start


def take_over(
    log: EventLog,
    store: OnlineStore,
    source: TopicPartition,
    group: FeatureGroup,
    settings: Settings,
    if_log_lost: IfLogLost,
    totals: Totals,
) -> Started:
    """Claim a partition and decide how it continues; what a decision changes is noted in Kafka and Redis at once.

    Raises:
        UserError: Kafka lost data and nobody has decided what to do, or Redis has another writer.
        LogError, StoreUnavailable: one of them does not answer.
    """
    current = epoch(log.topic_id(source.topic), group, settings)
    held = Held(*store.claim(Partition(source.topic, source.partition, group.name), current))
    committed = log.committed(source)
    metadata = committed_metadata(committed, current) if committed else None
    mark = (committed.offset, metadata.lateness) if committed and metadata else None
    reset = committed.offset if committed and set_by_others(committed) else None
    start = plan_start(log, source, mark, held.progress, settings, if_log_lost, reset)
    if reset is not None:
        _say_reset(source, reset, held.progress, start)
    if start.rebuild:
        store.forget(held.claim)
        held.progress = None
    if start.deleted is not None:
        totals.gone_without(start.deleted)
    if start.incomplete:
        _logger.warning(
            "Kafka has deleted what a rebuild reads: features may lack events until two windows have passed",
            topic=source.topic,
            partition=source.partition,
            first_offset=start.offset,
        )
    if start.commit is not None:
        with log.transaction() as transaction:
            offset, lateness = start.commit
            transaction.commit_offsets({source: Committed(offset, encode_metadata(current, lateness))})
    if start.deleted is not None and held.progress is not None:
        advance(store, held, Progress(start.offset, start.lateness))
    return Started(held, start)


def _say_reset(source: TopicPartition, reset: int, progress: Progress | None, start: Start) -> None:
    """One line for an offset that was set with a tool of Kafka's: what was found, and what wins."""
    place = {"topic": source.topic, "partition": source.partition, "offset_set": reset}
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
