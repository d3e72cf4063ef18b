"""`twinstream parity --rederive`: a run's feature log against its own source, replayed with the code of today.

The source topic is replayed up to where the run has committed, for all entities or for a sample of them (whole
entities, chosen by hash, so that every look samples the same ones), and each record of the log must be there, byte for
byte, in whichever partition: the loop writes a result to the partition that its record had, the job to that of its key.
Of all entities, the dead letters are compared, too: those of a topic with those of all its groups. A difference means
that the code has changed since (or the settings have, or the groups of the topic), or that something is wrong.

Where Kafka has deleted the beginning of the source, what depends on it is left out: from W + L after the oldest record
that the log vouches for, windows are full and the watermark is right again. Where it has deleted the beginning of a
log, so are the results that may have been in there: those of records before the first of their partition that is left.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice, takewhile
from zlib import crc32

import msgspec

from twinstream.audit.comparing import Comparison, Pairs
from twinstream.core.dead_letters import DeadLetter, encode_dead_letter
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.lateness import BEGINNING_MS
from twinstream.core.partition import Applied
from twinstream.core.shared_topic import stamp_together
from twinstream.core.stamping import SourceRecord
from twinstream.core.vectors import FeatureRecord, encode_feature_record
from twinstream.errors import UserError
from twinstream.log.kafka import (
    Deleted,
    Record,
    beginning_offsets,
    committed_offsets,
    deleted_records,
    end_offsets,
    read_topic,
)
from twinstream.log.rows import decode_letter, row_decoder
from twinstream.log.topics import Topic, dead_letter_topic, feature_log_topic
from twinstream.logging import get_logger
from twinstream.offline.replay import States, batched, new_processor
from twinstream.registry import Registry
from twinstream.settings import Settings

_BUCKETS = 1_000_000

LOOK_AHEAD = 20_000
"""Rows of a log within which each source partition has one, if it has any there: the job reads all of them in turn."""

Kept = Mapping[int, int]
"""By source partition, the offset of its first record whose result is certainly not in what a log has lost."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Which entities are looked at: a share of them, or these."""

    share: float = 1.0
    entities: frozenset[str] = frozenset()

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self.share >= 1 and not self.entities

    def has(self, entity: str) -> bool:
        """Whether an entity is in the sample."""
        if self.entities:
            return entity in self.entities
        return self.share >= 1 or crc32(entity.encode()) % _BUCKETS < self.share * _BUCKETS


@dataclass(frozen=True, slots=True)
class RunLog:
    """A feature log or dead letter topic of the run, and what it is compared with.

    Attributes:
        partitions: its rows.
        pairs: of what should be, and these.
        kept: what it has not lost of its beginning; results before are left out.
    """

    partitions: Iterable[Iterable[Record]]
    pairs: Pairs
    kept: Kept = field(default_factory=dict)


def rederive_run(
    settings: Settings, registry: Registry, sample: Sample, group_name: str | None = None
) -> list[Comparison]:
    """Compare the logs that a run has written with its source topics; left is what should be, right what is there.

    Raises:
        UserError: the run has written nothing, or Kafka has deleted all that it was made from.
    """
    results, deleted, anything_read, nothing_left = [], list[Deleted](), False, True
    chosen = list(registry) if group_name is None else [registry.named(group_name)]
    for topic in dict.fromkeys(group.topic for group in chosen):
        groups = [group for group in chosen if group.topic == topic]
        until = committed_offsets(settings, topic) or end_offsets(settings, topic)
        beginnings = beginning_offsets(settings, topic)
        deleted += deleted_records(topic, until, beginnings)
        anything_read |= any(until.values())
        nothing_left &= all(beginnings[number] >= end for number, end in until.items())
        results += _compare_topic(groups, registry, settings, sample, until)
    if not any(result.right for result in results):
        if anything_read and nothing_left:
            missed = f" {', '.join(map(str, deleted))} were deleted before the run came to them." if deleted else ""
            raise UserError(f"Kafka has deleted all the source records that the run has read.{missed} Nothing is left.")
        raise UserError(
            f"The run with OUTPUT_PREFIX {settings.output_prefix!r} has written nothing that could be compared. "
            "Is the prefix right, and has it run?"
        )
    return results


def _compare_topic(
    groups: Sequence[FeatureGroup], registry: Registry, settings: Settings, sample: Sample, until: Mapping[int, int]
) -> list[Comparison]:
    """Compare what some groups of a topic have made of it up to these offsets."""
    topic, prefix = groups[0].topic, settings.output_prefix
    together = registry.of_topic(topic)
    with ExitStack() as readers:

        def read(topic: str, number: int) -> Iterator[Record]:
            return readers.enter_context(closing(read_topic(settings, topic, only=[number])))

        def below(end: int, records: Iterator[Record]) -> Iterator[Record]:
            return takewhile(lambda record: record.offset < end, records)

        def run_log(of: Callable[[str], Topic], rows_of: _RowsOf, several: bool = False) -> RunLog:
            name = of(prefix).name
            lost = [number for number, first in beginning_offsets(settings, name).items() if first]
            kept = kept_from({number: rows_of(read(name, number)) for number in lost})
            partitions = [read(name, number) for number in end_offsets(settings, name)]
            return RunLog(partitions, Pairs(of("").name, several), kept)

        sources = {number: (below(end, read(topic, number)), end) for number, end in until.items()}
        logs = [run_log(partial(feature_log_topic, group.name), _feature_rows) for group in groups]
        letters = None
        if sample.is_everything:
            letters = run_log(partial(dead_letter_topic, topic), _letter_rows, several=len(together) > 1)
            why_not = _cannot_be_told(letters, groups, together)
            if why_not:
                _logger.warning("Dead letters are not compared", topic=topic, reason=why_not)
                letters = None
        compare_logs(groups, settings, sample, sources, logs, letters)
        return [log.pairs.result() for log in ([*logs, letters] if letters else logs)]


def _cannot_be_told(letters: RunLog, groups: Sequence[FeatureGroup], together: Sequence[FeatureGroup]) -> str:
    """Why it cannot be told exactly which dead letters a topic should have; empty if it can.

    Where several groups read a topic, a letter does not say whose it is. And one that came later wrote its letters
    later: so nobody knows the records of those that were in the part that Kafka has deleted.
    """
    if len(groups) < len(together):
        return f"they are of {', '.join(group.name for group in together)} together: leave out --group"
    if len(together) > 1 and letters.kept:
        return "Kafka has deleted the first of them, and those of several groups are not in the order of their records"
    return ""


def kept_from(beheaded: Mapping[int, Iterator["_Row"]]) -> Kept:
    """What is `Kept`, from the rows that are left in the partitions of a log that have lost their beginning.

    One that has lost everything had the results of the source partition of its number, as far as can be known.
    """
    kept: dict[int, int] = {}
    for number, rows in beheaded.items():
        first: dict[int, int] = {}
        for row in islice(rows, LOOK_AHEAD):
            first.setdefault(row.partition, row.offset)
        for source, offset in (first or {number: sys.maxsize}).items():
            kept[source] = max(kept.get(source, 0), offset)
    return kept


def compare_logs(
    groups: Sequence[FeatureGroup],
    settings: Settings,
    sample: Sample,
    sources: Mapping[int, tuple[Iterable[SourceRecord], int]],
    logs: Sequence[RunLog],
    letters: RunLog | None,
) -> None:
    """Replay a topic and pair the results with the rows of the logs, whichever partition of the logs they are in.

    A row names the source record that it is the result of, and is taken once that has been replayed. The source
    partition to be replayed on is the one that the logs' next rows wait for: so only rows that the run wrote in another
    order are in memory.

    Args:
        groups: what was computed.
        settings: the run's.
        sample: the entities to look at.
        sources: by number of the source partition, its records up to where the run has come, and that offset; results
            of records from there on do not count yet.
        logs: the feature log of each group.
        letters: the dead letters of the topic, where they are of just these groups (of several, with `Pairs` for
            several); None if they are not compared, as with a sample: a letter does not say whose record it is.
    """
    replays = {number: _Replay(groups, settings, number, *source) for number, source in sources.items()}
    logged = [[_Rows(_feature_rows(records), replays) for records in log.partitions] for log in logs]
    refused = [] if letters is None else [_Rows(_letter_rows(records), replays) for records in letters.partitions]
    while unfinished := [replay for replay in replays.values() if replay.batch]:
        awaited = [rows.next for rows in (*chain.from_iterable(logged), *refused) if rows.next is not None]
        replay = replays[awaited[0].partition] if awaited else unfinished[0]
        replay.begin(logged)
        results = replay.step(sample)
        for at, (log, rows, applied) in enumerate(zip(logs, logged, results, strict=True)):
            for record in applied.features:
                if record.event_time >= replay.from_ms[at] and record.offset >= log.kept.get(replay.number, 0):
                    log.pairs.add_left(_origin(record), encode_feature_record(record))
            for row in chain.from_iterable(each.replayed() for each in rows):
                counts = row.time_ms >= replays[row.partition].from_ms[at] and sample.has(row.entity)
                if counts and row.offset >= log.kept.get(row.partition, 0):
                    log.pairs.add_right(row.origin, row.value)
        if letters is None:
            continue
        for letter in chain.from_iterable(applied.dead_letters for applied in results):
            time_ms = letter.watermark or BEGINNING_MS
            if time_ms >= max(replay.from_ms) and letter.offset >= letters.kept.get(replay.number, 0):
                letters.pairs.add_left(_origin(letter), encode_dead_letter(letter))
        for row in chain.from_iterable(each.replayed() for each in refused):
            counts = row.time_ms >= max(replays[row.partition].from_ms)
            if counts and row.offset >= letters.kept.get(row.partition, 0):
                letters.pairs.add_right(row.origin, row.value)


class _Replay:
    """The replay of a source partition.

    Attributes:
        number: the partition's.
        first, end: the offsets whose results count, the end left out.
        batch: the records that come next; empty after the last.
        reached: offset up to which there are results.
        from_ms: of each group, results of an earlier time are not compared.
    """

    def __init__(
        self,
        groups: Sequence[FeatureGroup],
        settings: Settings,
        number: int,
        source: Iterable[SourceRecord],
        end: int,
    ) -> None:
        self._batches = batched(source)
        self._processors = [new_processor(group, settings) for group in groups]
        self._states = [States() for _ in groups]
        self._unsure_ms = settings.lateness_ms + settings.window_ms
        self.number, self.end = number, end
        self.batch = next(self._batches, [])
        self.first = self.reached = self.batch[0].offset if self.batch else end
        self.from_ms = [BEGINNING_MS] * len(groups)

    def begin(self, logged: Sequence[Sequence["_Rows"]]) -> None:
        """Learn from event times that the logs vouch for, before the first step, from when on results are right."""
        if not self.reached == self.first > 0:
            return
        for at, partitions in enumerate(logged):
            vouching = [row.time_ms for rows in partitions if (row := rows.first_of(self.number)) is not None]
            if vouching:
                self.from_ms[at] = min(vouching) + self._unsure_ms

    def step(self, sample: Sample) -> list[Applied[FeatureRecord]]:
        """The results of the next batch, for each group; a letter that several share is there for each of them."""
        known = [
            states.after(processor.sweep_until_ms)
            for processor, states in zip(self._processors, self._states, strict=True)
        ]
        stamped = stamp_together(self._processors, self.batch)
        applied = [
            processor.apply([item for item in items if isinstance(item, DeadLetter) or sample.has(item.entity)], states)
            for processor, items, states in zip(self._processors, stamped, known, strict=True)
        ]
        self.batch = next(self._batches, [])
        self.reached = self.batch[0].offset if self.batch else self.end
        return applied


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a log: whose result it is, the time that decides whether it is compared, and its bytes.

    A dead letter tells no entity.
    """

    partition: int
    offset: int
    origin: str
    time_ms: int
    entity: str
    value: bytes


class _Rows:
    """The rows of a partition of a log that count.

    Attributes:
        next: the row that comes next; None after the last.
    """

    def __init__(self, rows: Iterator[_Row], replays: Mapping[int, _Replay]) -> None:
        self._replays = replays
        self._rows = (
            row for row in rows if (of := replays.get(row.partition)) is not None and of.first <= row.offset < of.end
        )
        self._ahead: deque[_Row] = deque()
        self.next = next(self._rows, None)

    def first_of(self, number: int) -> _Row | None:
        """The first row to come that is of a source partition, if one is near."""
        if self.next is None or self.next.partition == number:
            return self.next
        self._ahead.extend(islice(self._rows, LOOK_AHEAD - len(self._ahead)))
        return next((row for row in self._ahead if row.partition == number), None)

    def replayed(self) -> Iterator[_Row]:
        """The next rows, as long as their source records have been replayed."""
        while self.next is not None and self.next.offset < self._replays[self.next.partition].reached:
            yield self.next
            self.next = self._ahead.popleft() if self._ahead else next(self._rows, None)


class _Logged(msgspec.Struct, gc=False):
    """What is needed of a feature-log record."""

    entity: str
    event_time: int
    topic: str
    partition: int
    offset: int


def _feature_rows(records: Iterable[Record]) -> Iterator[_Row]:
    for record in records:
        row = _decode_logged(record)
        yield _Row(row.partition, row.offset, _origin(row), row.event_time, row.entity, record.value or b"")


def _letter_rows(records: Iterable[Record]) -> Iterator[_Row]:
    for record in records:
        letter = decode_letter(record)
        time_ms = letter.watermark or BEGINNING_MS
        yield _Row(letter.partition, letter.offset, _origin(letter), time_ms, "", record.value or b"")


def _origin(row: _Logged | FeatureRecord | DeadLetter) -> str:
    return f"{row.topic}-{row.partition}@{row.offset}"


_RowsOf = Callable[[Iterable[Record]], Iterator[_Row]]
_decode_logged = row_decoder(_Logged, "feature record")
_logger = get_logger(__name__)
