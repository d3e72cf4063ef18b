"""`python -m store parity --rederive`: a run's feature log against its own source, replayed with the code of today.

The source topic is replayed up to where the run has committed, for all entities or for a sample of them (whole
entities, chosen by hash, so that every look samples the same ones), and each record of the log must be there, byte for
byte. Of all entities, the dead letters are compared, too. A difference means that the code has changed since (or the
settings have), or that something is wrong.

Where Kafka has deleted the beginning of the source, what depends on it is left out: from W + L after the oldest record
that the log vouches for, windows are full and the watermark is right again.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from zlib import crc32

import msgspec
from prometheus_client import CollectorRegistry, Gauge

from features.catalog import FeatureGroup
from features.dead_letters import DeadLetter, encode_dead_letter
from features.groups import GROUPS
from features.lateness import BEGINNING_MS
from features.stamping import SourceRecord
from features.vectors import FeatureRecord, encode_feature_record
from runtime.errors import UserError
from runtime.health import HealthServer
from runtime.kafka import (
    Deleted,
    Record,
    beginning_offsets,
    committed_offsets,
    deleted_records,
    end_offsets,
    read_topic,
)
from runtime.settings import Settings
from runtime.topics import dead_letter_topic, feature_log_topic
from store.comparing import Comparison, Pairs
from store.offline.replay import States, batched, new_partition
from store.reading import check_group
from store.rows import row_decoder

_BUCKETS = 1_000_000


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


def rederive_run(settings: Settings, sample: Sample, group_name: str | None = None) -> list[Comparison]:
    """Compare the logs that a run has written with its source topics; left is what should be, right what is there.

    Raises:
        UserError: the run has written nothing, or Kafka has deleted all that it was made from.
    """
    if group_name is not None:
        check_group(group_name)
    results, deleted, nothing_left = [], list[Deleted](), True
    for group in [GROUPS[group_name]] if group_name else GROUPS.values():
        until = committed_offsets(settings, group.topic) or end_offsets(settings, group.topic)
        beginnings = beginning_offsets(settings, group.topic)
        deleted += deleted_records(group.topic, until, beginnings)
        nothing_left &= all(beginnings[number] >= end for number, end in until.items())
        pairs = Pairs(feature_log_topic(group.name).name), Pairs(dead_letter_topic(group.topic).name)
        outputs = [
            feature_log_topic(group.name, settings.output_prefix).name,
            dead_letter_topic(group.topic, settings.output_prefix).name,
        ]
        spans = {number: Span(beginnings[number], end) for number, end in until.items()}
        if any(span.first for span in spans.values()):
            spans = with_full_windows(spans, read_topic(settings, outputs[0]), settings)
        held = [beginning_offsets(settings, topic) for topic in outputs]
        for number in sorted({*until, *held[0], *held[1]}):
            log, letters = (
                read_topic(settings, topic, only=[number]) if number in numbers else ()
                for topic, numbers in zip(outputs, held, strict=True)
            )
            source = read_topic(settings, group.topic, only=[number]) if number in until else ()
            compare_partition(group, settings, sample, source, log, letters, spans, pairs)
        results += [each.result() for each in pairs[: 2 if sample.is_everything else 1]]
    if not any(result.right for result in results):
        if nothing_left:
            missed = f" {', '.join(map(str, deleted))} were deleted before the run came to them." if deleted else ""
            raise UserError(f"Kafka has deleted all the source records that the run has read.{missed} Nothing is left.")
        raise UserError(
            f"The run with OUTPUT_PREFIX {settings.output_prefix!r} has written nothing that could be compared. "
            "Is the prefix right, and has it run?"
        )
    return results


@dataclass(frozen=True, slots=True)
class Span:
    """What is compared of a source partition.

    Attributes:
        first: the oldest offset that Kafka still has.
        end: results of records from here on do not count yet.
        full_from_ms: event time from which windows are full, whatever was before `first`.
    """

    first: int
    end: int
    full_from_ms: int = BEGINNING_MS


def with_full_windows(spans: Mapping[int, Span], log: Iterable[Record], settings: Settings) -> dict[int, Span]:
    """The spans, of those that have lost their beginning with the moment from which on windows are full again.

    Any event that was accepted after the loss vouches: what came before it was at most the allowed lateness newer.
    """
    known = dict(spans)
    wanted = {number for number, span in spans.items() if span.first}
    for logged, _ in _rows(log, spans):
        if logged.partition in wanted:
            wanted.remove(logged.partition)
            full_from_ms = logged.event_time + settings.lateness_ms + settings.window_ms
            known[logged.partition] = replace(spans[logged.partition], full_from_ms=full_from_ms)
        if not wanted:
            break
    return known


def compare_partition(
    group: FeatureGroup,
    settings: Settings,
    sample: Sample,
    source: Iterable[SourceRecord],
    log: Iterable[Record],
    letters: Iterable[Record],
    spans: Mapping[int, Span],
    pairs: tuple[Pairs, Pairs],
) -> None:
    """Replay a source partition, and take in the output partitions of its number, all read side by side.

    An output row belongs to the source partition that it names. Where producers send no keys, a runtime may write it
    elsewhere: then it waits in `pairs` until its own source partition has been replayed.

    Args:
        group: what was computed.
        settings: the run's.
        sample: the entities to look at.
        source: the records of one partition.
        log: a partition of the feature log.
        letters: a partition of the dead letter topic.
        spans: by source partition, what is compared.
        pairs: of the feature log, and of the dead letters.
    """
    features, set_aside = pairs
    batches = batched(record for record in source if record.offset < spans[record.partition].end)
    batch = next(batches, [])
    rows = _rows(log, spans)
    set_aside_rows = _letters(letters if sample.is_everything else (), spans)
    partition, states = new_partition(group, settings), States()
    while True:
        known = states.after(partition.sweep_until_ms)
        stamped = [item for item in partition.stamp(batch) if isinstance(item, DeadLetter) or sample.has(item.entity)]
        applied = partition.apply(stamped, known)
        for record in applied.features:
            if record.event_time >= spans[record.partition].full_from_ms:
                features.add_left(_origin(record), encode_feature_record(record))
        for letter in applied.dead_letters if sample.is_everything else ():
            if (letter.watermark or BEGINNING_MS) >= spans[letter.partition].full_from_ms:
                set_aside.add_left(_origin(letter), encode_dead_letter(letter))
        count = len(batch)
        batch = next(batches, [])
        for logged, value in islice(rows, count if batch else None):
            if logged.event_time >= spans[logged.partition].full_from_ms and sample.has(logged.entity):
                features.add_right(_origin(logged), value)
        for found, value in islice(set_aside_rows, count if batch else None):
            if (found.watermark or BEGINNING_MS) >= spans[found.partition].full_from_ms:
                set_aside.add_right(_origin(found), value)
        if not batch:
            return


def watch(
    look: Callable[[], list[Comparison]],
    every_s: float,
    metrics_port: int,
    show: Callable[[list[Comparison]], None],
    until: Callable[[], bool] = lambda: False,
    on_port: Callable[[int], None] = lambda port: None,
) -> None:
    """Look again and again, and serve what was found last as Prometheus gauges.

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
    server = HealthServer(registry, lambda: (True, "looking"), port=metrics_port).start()
    on_port(server.port)
    try:
        while True:
            began = time.monotonic()
            results = look()
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


def _rows(log: Iterable[Record], spans: Mapping[int, Span]) -> Iterator[tuple[_Logged, bytes]]:
    """The rows of a feature log that are results of records in the spans."""
    for record in log:
        value = record.value or b""
        logged = _decode_logged(value)
        if _is_within(logged, spans):
            yield logged, value


def _letters(letters: Iterable[Record], spans: Mapping[int, Span]) -> Iterator[tuple[DeadLetter, bytes]]:
    """The dead letters of records in the spans."""
    for record in letters:
        value = record.value or b""
        letter = _decode_letter(value)
        if _is_within(letter, spans):
            yield letter, value


def _is_within(row: _Logged | DeadLetter, spans: Mapping[int, Span]) -> bool:
    span = spans.get(row.partition)
    return span is not None and span.first <= row.offset < span.end


def _origin(row: _Logged | FeatureRecord | DeadLetter) -> str:
    return f"{row.topic}-{row.partition}@{row.offset}"


_decode_logged = row_decoder(_Logged, "a feature record")
_decode_letter = row_decoder(DeadLetter, "a dead letter")
