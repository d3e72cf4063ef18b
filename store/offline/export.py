"""`python -m store export`: the feature log as a Parquet dataset, each record exactly once.

An export continues where the parts on disk end, so it can be interrupted, repeated and run on a schedule.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from features.catalog import FeatureGroup
from features.vectors import FeatureRecord
from runtime.errors import UserError
from runtime.kafka import Record, read_topic
from runtime.kafka.reading import end_offsets
from runtime.settings import Settings
from runtime.topics import feature_log_topic
from store.offline.columns import RecordDecoder, to_frame
from store.offline.dataset import Dataset

PART_RECORDS = 50_000
"""Records in a part: what is held in memory of each partition."""

Advance = Callable[[int], None]
"""Told the number of records that were just done."""


def export(settings: Settings, group: FeatureGroup, out: Path, advance: Advance = lambda count: None) -> int:
    """Add to a dataset what has come into a group's feature log; return the number of records.

    Raises:
        UserError: the folder holds another log's records, or the log's are of another version.
    """
    topic = feature_log_topic(group.name, settings.output_prefix).name
    dataset = Dataset(out, group)
    dataset.begin(f"topic {topic}")
    reached = dataset.next_offsets()
    decoder = RecordDecoder(group)
    buffers: dict[int, list[tuple[int, FeatureRecord]]] = {}
    count = 0
    for record in _new_records(settings, topic, reached):
        buffer = buffers.setdefault(record.partition, [])
        try:
            buffer.append((record.offset, decoder.decode(record.value or b"")))
        except ValueError as fault:
            raise UserError(
                f"{topic}: {fault}. Export it with the code that wrote it, to a folder of its own."
            ) from None
        count += 1
        if len(buffer) >= PART_RECORDS:
            _write(dataset, record.partition, buffer)
            advance(len(buffer))
            buffer.clear()
    for partition, buffer in buffers.items():
        if buffer:
            _write(dataset, partition, buffer)
            advance(len(buffer))
    return count


def pending(settings: Settings, group: FeatureGroup, out: Path) -> int:
    """About how many records an export would add; transaction markers count, too."""
    topic = feature_log_topic(group.name, settings.output_prefix).name
    reached = Dataset(out, group).next_offsets()
    return sum(max(0, end - reached.get(partition, 0)) for partition, end in end_offsets(settings, topic).items())


def _new_records(settings: Settings, topic: str, reached: dict[int, int]) -> Iterator[Record]:
    ends = end_offsets(settings, topic)
    for partition, next_offset in reached.items():
        if next_offset > ends.get(partition, 0):
            raise UserError(
                f"{topic} ends before what was exported of partition {partition}: it was deleted and made again. "
                "Export it to another folder."
            )
    return read_topic(settings, topic, start=reached)


def _write(dataset: Dataset, partition: int, buffer: list[tuple[int, FeatureRecord]]) -> None:
    frame = to_frame(dataset.group, [record for _, record in buffer])
    dataset.write(partition, buffer[0][0], buffer[-1][0], frame)
