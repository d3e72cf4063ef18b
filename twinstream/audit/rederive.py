"""`twinstream parity --rederive`: a run's feature log against its own source, replayed with the code of today.

The source topic is replayed up to where the run has committed, for all entities or for a sample of them (whole
entities, chosen by hash, so that every look samples the same ones), and each record of the log must be there, byte for
byte, in whichever partition: the loop writes a result to the partition that its record had, the job to that of its key.
Of all entities, the dead letters are compared, too. A difference means that the code has changed since (or the settings
have), or that something is wrong.

Where Kafka has deleted the beginning of the source, what depends on it is left out: from W + L after the oldest record
that the log vouches for, windows are full and the watermark is right again. Where it has deleted the beginning of a
log, so are the results that may have been in there: those of records before the first of their partition that is left.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain, islice, takewhile
from zlib import crc32

import msgspec
from prometheus_client import CollectorRegistry, Gauge

from twinstream.audit.comparing import Comparison, Pairs
from twinstream.core.dead_letters import DeadLetter, encode_dead_letter
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.lateness import BEGINNING_MS
from twinstream.core.partition import Applied
from twinstream.core.stamping import SourceRecord
from twinstream.core.vectors import FeatureRecord, encode_feature_record
from twinstream.errors import UserError
from twinstream.health import HealthServer
from twinstream.log.kafka import (
    Deleted,
    KafkaUnavailable,
    Record,
    RecordsDeleted,
    beginning_offsets,
    committed_offsets,
    deleted_records,
    end_offsets,
    read_topic,
)
from twinstream.log.rows import decode_letter, row_decoder
from twinstream.log.topics import dead_letter_topic, feature_log_topic
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


def rederive_run(
    settings: Settings, registry: Registry, sample: Sample, group_name: str | None = None
) -> list[Comparison]:
    """Compare the logs that a run has written with its source topics; left is what should be, right what is there.

    Raises:
        UserError: the run has written nothing, or Kafka has deleted all that it was made from.
    """
    results, deleted, anything_read, nothing_left = [], list[Deleted](), False, True
    for group in registry if group_name is None else [registry.named(group_name)]:
        until = committed_offsets(settings, group.topic) or end_offsets(settings, group.topic)
        beginnings = beginning_offsets(settings, group.topic)
        deleted += deleted_records(group.topic, until, beginnings)
        anything_read |= any(until.values())
        nothing_left &= all(beginnings[number] >= end for number, end in until.items())
        pairs = Pairs(feature_log_topic(group.name).name), Pairs(dead_letter_topic(group.topic).name)
        _compare_group(group, settings, sample, until, pairs)
        results += [each.result() for each in pairs[: 2 if sample.is_everything else 1]]
    if not any(result.right for result in results):
        if anything_read and nothing_left:
            missed = f" {', '.join(map(str, deleted))} were deleted before the run came to them." if deleted else ""
            raise UserError(f"Kafka has deleted all the source records that the run has read.{missed} Nothing is left.")
        raise UserError(
            f"The run with OUTPUT_PREFIX {settings.output_prefix!r} has written nothing that could be compared. "
            "Is the prefix right, and has it run?"
        )
    return results


def _compare_group(
    group: FeatureGroup, settings: Settings, sample: Sample, until: Mapping[int, int], pairs: tuple[Pairs, Pairs]
) -> None:
    with ExitStack() as readers:

        def read(topic: str, number: int) -> Iterator[Record]:
            return readers.enter_context(closing(read_topic(settings, topic, only=[number])))

        def below(end: int, records: Iterator[Record]) -> Iterator[Record]:
            return takewhile(lambda record: record.offset < end, records)

        sources = {number: (below(end, read(group.topic, number)), end) for number, end in until.items()}
        logs: list[list[Iterator[Record]]] = []
        kept: list[Kept] = []
        for topic, rows_of in (
            (feature_log_topic(group.name, settings.output_prefix).name, _feature_rows),
            (dead_letter_topic(group.topic, settings.output_prefix).name, _letter_rows),
        ):
            logs.append([read(topic, number) for number in end_offsets(settings, topic)])
            lost = [number for number, first in beginning_offsets(settings, topic).items() if first]
            kept.append(kept_from({number: rows_of(read(topic, number)) for number in lost}))
        compare_logs(group, settings, sample, sources, logs[0], logs[1], pairs, (kept[0], kept[1]))


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
    group: FeatureGroup,
    settings: Settings,
    sample: Sample,
    sources: Mapping[int, tuple[Iterable[SourceRecord], int]],
    log: Iterable[Iterable[Record]],
    letters: Iterable[Iterable[Record]],
    pairs: tuple[Pairs, Pairs],
    kept: tuple[Kept, Kept] = ({}, {}),
) -> None:
    """Replay a topic and pair the results with the rows of the logs, whichever partition of the logs they are in.

    A row names the source record that it is the result of, and is taken once that has been replayed. The source
    partition to be replayed on is the one that the logs' next rows wait for: so only rows that the run wrote in another
    order are in memory.

    Args:
        group: what was computed.
        settings: the run's.
        sample: the entities to look at.
        sources: by number of the source partition, its records up to where the run has come, and that offset; results
            of records from there on do not count yet.
        log: the partitions of the feature log.
        letters: the partitions of the dead letter topic.
        pairs: of the feature log, and of the dead letters.
        kept: what both have not lost of their beginnings; results before are left out.
    """
    features, set_aside = pairs
    log_from, letters_from = kept
    replays = {number: _Replay(group, settings, number, *source) for number, source in sources.items()}
    logged = [_Rows(_feature_rows(records), replays) for records in log]
    refused = [_Rows(_letter_rows(records), replays) for records in letters if sample.is_everything]
    while unfinished := [replay for replay in replays.values() if replay.batch]:
        vouching = [rows.next for rows in logged if rows.next is not None]
        awaited = vouching or [rows.next for rows in refused if rows.next is not None]
        replay = replays[awaited[0].partition] if awaited else unfinished[0]
        replay.begin([row.time_ms for row in vouching if row.partition == replay.number])
        applied = replay.step(sample)
        for record in applied.features:
            if record.event_time >= replay.from_ms and record.offset >= log_from.get(replay.number, 0):
                features.add_left(_origin(record), encode_feature_record(record))
        for letter in applied.dead_letters if sample.is_everything else ():
            time_ms = letter.watermark or BEGINNING_MS
            if time_ms >= replay.from_ms and letter.offset >= letters_from.get(replay.number, 0):
                set_aside.add_left(_origin(letter), encode_dead_letter(letter))
        for side, partitions, first in ((features, logged, log_from), (set_aside, refused, letters_from)):
            for row in chain.from_iterable(rows.replayed() for rows in partitions):
                if row.offset < first.get(row.partition, 0) or row.time_ms < replays[row.partition].from_ms:
                    continue
                if row.entity is None or sample.has(row.entity):
                    side.add_right(row.origin, row.value)


class _Replay:
    """The replay of a source partition.

    Attributes:
        number: the partition's.
        first, end: the offsets whose results count, the end left out.
        batch: the records that come next; empty after the last.
        reached: offset up to which there are results.
        from_ms: results of an earlier time are not compared.
    """

    def __init__(
        self, group: FeatureGroup, settings: Settings, number: int, source: Iterable[SourceRecord], end: int
    ) -> None:
        self._batches = batched(source)
        self._partition, self._states = new_processor(group, settings), States()
        self._unsure_ms = settings.lateness_ms + settings.window_ms
        self.number, self.end = number, end
        self.batch = next(self._batches, [])
        self.first = self.reached = self.batch[0].offset if self.batch else end
        self.from_ms = BEGINNING_MS

    def begin(self, vouched_ms: Sequence[int]) -> None:
        """Learn from event times that the log vouches for, before the first step, from when on results are right."""
        if self.reached == self.first > 0 and vouched_ms:
            self.from_ms = min(vouched_ms) + self._unsure_ms

    def step(self, sample: Sample) -> Applied[FeatureRecord]:
        """The results of the next batch."""
        known = self._states.after(self._partition.sweep_until_ms)
        stamped = self._partition.stamp(self.batch)
        applied = self._partition.apply(
            [item for item in stamped if isinstance(item, DeadLetter) or sample.has(item.entity)], known
        )
        self.batch = next(self._batches, [])
        self.reached = self.batch[0].offset if self.batch else self.end
        return applied


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a log: whose result it is, the time that decides whether it is compared, and its bytes."""

    partition: int
    offset: int
    origin: str
    time_ms: int
    entity: str | None
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
        self.next = next(self._rows, None)

    def replayed(self) -> Iterator[_Row]:
        """The next rows, as long as their source records have been replayed."""
        while self.next is not None and self.next.offset < self._replays[self.next.partition].reached:
            yield self.next
            self.next = next(self._rows, None)


def monitor(
    look: Callable[[], list[Comparison]],
    every_s: float,
    metrics_port: int,
    show: Callable[[list[Comparison]], None],
    until: Callable[[], bool] = lambda: False,
    on_port: Callable[[int], None] = lambda port: None,
) -> None:
    """Look again and again, and serve what was found last as Prometheus gauges.

    A look that Kafka's absence or its retention ends is left out with a warning; the next one may do better.

    Args:
        look: compares.
        every_s: seconds from one look's beginning to the next.
        metrics_port: of /metrics, on this machine.
        show: told what was found.
        until: asked after each look whether to end.
        on_port: told the port, once it answers.
    """
    registry = CollectorRegistry()
    rows = Gauge(
        "twinstream_parity_rows",
        "Rows of the last look by what became of them: compared, missing, extra or different.",
        ["log", "outcome"],
        registry=registry,
    )
    looked = Gauge("twinstream_parity_timestamp_seconds", "When the last look ended, epoch seconds.", registry=registry)
    server = HealthServer(registry, lambda: (True, "looking"), port=metrics_port, setting="--metrics-port").start()
    on_port(server.port)
    try:
        while True:
            began = time.monotonic()
            try:
                results = look()
            except (KafkaUnavailable, RecordsDeleted) as error:
                _logger.warning("This look is left out", reason=str(error))
            else:
                for result in results:
                    for outcome in ("compared", "missing", "extra", "different"):
                        rows.labels(result.name, outcome).set(getattr(result, outcome))
                looked.set_to_current_time()
                show(results)
            if until():
                return
            time.sleep(max(0.0, began + every_s - time.monotonic()))
    except KeyboardInterrupt:
        """That is how it ends."""
    finally:
        server.stop()


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
        yield _Row(letter.partition, letter.offset, _origin(letter), time_ms, None, record.value or b"")


def _origin(row: _Logged | FeatureRecord | DeadLetter) -> str:
    return f"{row.topic}-{row.partition}@{row.offset}"


_decode_logged = row_decoder(_Logged, "feature record")
_logger = get_logger(__name__)
