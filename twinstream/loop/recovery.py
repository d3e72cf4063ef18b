"""Where a feature group continues in a partition: the one recovery path, for a start, a rebalance, a failure or a new
epoch.

Two marks say how far it has got. **C**, committed in Kafka, moves with the feature log and the dead letters in one
transaction; **P**, the progress in Redis, is written after the features. So P never passes C, and

    seek to P, apply silently what lies below C, emit from C on

makes Kafka's output exactly-once and Redis' effectively-once, wherever the crash fell.

Without P (Redis lost it, or the epoch is new) the states are rebuilt from the log. What can still be asked for reaches
back to `X = newest event time - 2 W - 3 L`: the sweep keeps an entity until its newest event is W + L behind the
watermark, which is L behind the newest event; its vector looks W further back, and the newest record, whose offset
shows, may be L older than the newest event. A record with an event time after X has a Kafka timestamp after X - skew,
because that is at most the skew behind an accepted event. Replaying from the first such record, and leaving out what is
not newer than X, repeats every decision on lateness: a record that made others late before that moment was itself older
than X, and so are those it made late. That holds where the broker has stamped what is newer than X; where producers
have, what is believed depends on runs of records, and the log is read from its beginning.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec

from twinstream.core.lateness import NOTHING_SEEN, LatenessState
from twinstream.errors import UserError
from twinstream.log.contract import Committed, EventLog, TopicPartition
from twinstream.log.retention import Deleted, IfLogLost, RecordsDeleted
from twinstream.online.contract import Progress
from twinstream.settings import Settings

LONG_AGO = LatenessState(0)
"""Noted where nobody knows the newest event time: a rebuild then reads the log from its beginning."""


Marks = Mapping[str, tuple[int, LatenessState]]
"""C of each group that has read the partition: results below the offset are emitted; what the lateness rule knew there.

The groups of a topic stand at different places while one that came later catches up. Kafka's offset is the least.
"""


class OffsetMetadata(msgspec.Struct, frozen=True):
    """The metadata that is committed with an offset.

    Attributes:
        topic: id of the topic, which it gets anew when it is created again.
        groups: the marks; also of groups that this worker does not compute, so that they can go on where they were.
    """

    topic: str
    groups: dict[str, tuple[int, LatenessState]]


def marks_of(committed: Committed | None, topic_id: str) -> Marks | None:
    """The marks beside a committed offset; none of another life of the topic.

    None, where no worker committed it: then it was set with a tool of Kafka's.
    """
    if committed is None:
        return {}
    try:
        metadata = _decode_metadata(committed.metadata)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return metadata.groups if metadata.topic == topic_id else {}


def committing(topic_id: str, marks: Marks, computed: Iterable[str]) -> Committed:
    """What to commit: the marks, and the least offset of the groups that are computed."""
    metadata = msgspec.json.encode(OffsetMetadata(topic_id, dict(marks))).decode()
    return Committed(min(marks[name][0] for name in computed if name in marks), metadata)


_decode_metadata = msgspec.json.Decoder(OffsetMetadata).decode


@dataclass(frozen=True, slots=True)
class Start:
    """How a group continues in a partition.

    Attributes:
        offset: where to read on.
        emit_from: results below it have been emitted.
        lateness: state of the lateness rule at `offset`.
        forget_until_ms: below `emit_from`, events not newer than this change nothing any more.
        rebuild: what Redis has of the partition must be forgotten first, by the user's decision.
        deleted: records that Kafka deleted before all was done with them, and that the user goes on without.
        incomplete: a rebuild would read further back than the log reaches, so windows may lack events at first.
        commit: the mark C to note at once, so that the decision holds; None when C holds.
    """

    offset: int
    emit_from: int
    lateness: LatenessState
    forget_until_ms: int | None
    rebuild: bool = False
    deleted: Deleted | None = None
    incomplete: bool = False
    commit: tuple[int, LatenessState] | None = None


def plan_start(
    log: EventLog,
    partition: TopicPartition,
    committed: tuple[int, LatenessState] | None,
    progress: Progress | None,
    settings: Settings,
    if_log_lost: IfLogLost = IfLogLost.REFUSE,
    reset: int | None = None,
) -> Start:
    """Decide how a group continues in a partition.

    Args:
        log: to ask for offsets.
        partition: which.
        committed: C, and the state of the lateness rule there; None when there is none.
        progress: P; None when Redis has none of this epoch.
        settings: windows, lateness and skew.
        if_log_lost: what the user decided for the case that C or the log's end lies behind P, or that the log begins
            after one of the two, or that somebody has set the group's offset.
        reset: the committed offset, when it is none that a worker committed. P wins over it, unless the user wants to
            process again from there; without P it is all there is. Which of them wins is noted at once: while no
            record comes, an offset that lost would otherwise be found again, and win if Redis were emptied meanwhile.

    Raises:
        UserError: Kafka lost what Redis has seen and nobody has decided what to do.
        RecordsDeleted: retention has passed C or P, likewise.
    """
    first, end = log.beginning_offset(partition), log.end_offset(partition)
    if reset is not None and (progress is None or if_log_lost is IfLogLost.REBUILD):
        mark = min(max(reset, first), end), LONG_AGO
        return replace(_rebuilt(log, partition, mark, progress is not None, settings), commit=mark)
    marks = [mark[0] for mark in (committed, progress) if mark is not None]
    reached = end if committed is None else min(committed[0], end)
    lost = any(mark > reached for mark in marks)
    if lost and if_log_lost is not IfLogLost.REBUILD:
        if progress is None or if_log_lost is IfLogLost.REFUSE or progress.next_offset > end:
            raise UserError(_lost(partition, reached, max(marks)))
        committed, marks = None, [progress.next_offset]  # C does not hold
    wanted = min(marks, default=first)
    deleted = Deleted(*partition, wanted, first) if wanted < first else None
    if deleted is not None and if_log_lost is IfLogLost.REFUSE:
        raise RecordsDeleted([deleted], IF_DELETED)
    rebuild = if_log_lost is IfLogLost.REBUILD and (lost or deleted is not None)
    if progress is not None and not rebuild:
        start = _resumed(first, committed, progress, settings)
    elif committed is not None:
        start = _rebuilt(log, partition, (reached, committed[1]), rebuild, settings)
    else:
        start = Start(first, reached if lost else first, NOTHING_SEEN, None, rebuild)
    if not lost and deleted is None and reset is None:
        return start
    lateness = committed[1] if committed else LONG_AGO
    noted = start.emit_from, start.lateness if start.offset == start.emit_from else lateness
    return replace(start, deleted=deleted, commit=noted)


def _resumed(first: int, committed: tuple[int, LatenessState] | None, progress: Progress, settings: Settings) -> Start:
    """From P on, silently up to C; from the log's beginning if both lie before it."""
    emit_from, lateness = progress if committed is None else committed
    forget_ms = None if committed is None else horizon_ms(lateness, settings)
    if emit_from < first:
        return Start(first, first, lateness, forget_ms)
    return Start(max(first, progress.next_offset), emit_from, progress.lateness, forget_ms)


def _rebuilt(
    log: EventLog, partition: TopicPartition, committed: tuple[int, LatenessState], rebuild: bool, settings: Settings
) -> Start:
    """From as far back as can be asked for, silently up to C; from the log's beginning if C lies before it."""
    (emit_from, lateness), first = committed, log.beginning_offset(partition)
    until_ms = horizon_ms(lateness, settings)
    if emit_from < first:
        return Start(first, first, NOTHING_SEEN if rebuild else lateness, until_ms, rebuild)
    offset = first
    if lateness == NOTHING_SEEN:
        offset = emit_from
    elif until_ms is not None and log.is_append_timed(partition.topic):
        found = log.offset_for_time(partition, until_ms - settings.max_future_skew_ms)
        offset = emit_from if found is None else min(found, emit_from)
    return Start(offset, emit_from, NOTHING_SEEN, until_ms, rebuild, incomplete=0 < offset == first < emit_from)


IF_DELETED = (
    "Start with --if-log-lost continue (go on with the first record that there is, the windows as they are) or "
    "--if-log-lost rebuild (forget what Redis has and go on with what there is)."
)


def horizon_ms(lateness: LatenessState, settings: Settings) -> int | None:
    """X: no event at or before it can be asked for any more; None where that may be any event of the log."""
    if lateness.newest_ms is None:
        return None
    until_ms = lateness.newest_ms - 2 * settings.window_ms - 3 * settings.lateness_ms
    unvouched_ms = lateness.unvouched_ms
    return None if unvouched_ms is not None and unvouched_ms > until_ms else until_ms


def _lost(partition: TopicPartition, reached: int, seen: int) -> str:
    return (
        f"Kafka has {partition.topic}-{partition.partition} up to offset {reached}, but it was processed up to {seen}: "
        "Kafka lost data. Start with --if-log-lost rebuild (forget what Redis has, rebuild it from the log, go on from "
        f"{reached}), or, if only the group's offsets are gone, with --if-log-lost continue (go on from {seen})."
    )
