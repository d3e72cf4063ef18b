"""`twinstream export`: the feature log as a Parquet dataset, each record exactly once.

An export continues where the parts on disk end, so it can be interrupted, repeated and run on a schedule.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from twinstream.core.feature_group import FeatureGroup
from twinstream.core.vectors import FeatureRecord
from twinstream.errors import UserError
from twinstream.log.kafka import (
    IfDeleted,
    Record,
    RecordsDeleted,
    TopicAdmin,
    beginning_offsets,
    deleted_records,
    end_offsets,
    going_on_without,
    read_topic,
)
from twinstream.log.topics import feature_log_topic
from twinstream.offline.columns import RecordDecoder, to_frame
from twinstream.offline.dataset import Dataset
from twinstream.settings import Settings

PART_RECORDS = 25_000
"""Records in a part: what is held in memory of each partition."""

Advance = Callable[[int], None]
"""Told the number of records that were just done."""


def export(
    settings: Settings,
    group: FeatureGroup,
    out: Path,
    advance: Advance = lambda count: None,
    if_deleted: IfDeleted = IfDeleted.REFUSE,
) -> int:
    """Add to a dataset what has come into a group's feature log; return the number of records.

    Raises:
        UserError: the folder holds another log's records, or the log's are of another version.
        RecordsDeleted: Kafka deleted records since the last export, and nobody decided to go on without them.
    """
    topic = feature_log_topic(group.name, settings.output_prefix).name
    dataset = Dataset(out, group)
    ends = end_offsets(settings, topic)
    with TopicAdmin(settings) as admin:
        topic_id = admin.ids().get(topic)
    if topic_id is None:
        raise UserError(f'Kafka has no topic {topic}. Create the topics with "make topics".')
    with dataset.writing(f"topic {topic} {topic_id}"):
        reached = dataset.next_offsets()
        for partition, end in ends.items():
            if reached.get(partition, 0) > end:
                raise UserError(f"Kafka has lost records of {topic} that were exported. Export it to another folder.")
        deleted = deleted_records(topic, reached, beginning_offsets(settings, topic)) if reached else []
        if deleted and if_deleted is IfDeleted.REFUSE:
            raise RecordsDeleted(deleted, "Export what is left with --if-log-lost continue.")
        going_on_without(deleted)
        return _export(dataset, topic, read_topic(settings, topic, start=reached), advance)


def _export(dataset: Dataset, topic: str, records: Iterable[Record], advance: Advance) -> int:
    decoder = RecordDecoder(dataset.group)
    buffers: dict[int, list[tuple[int, FeatureRecord]]] = {}
    count = 0
    for record in records:
        buffer = buffers.setdefault(record.partition, [])
        try:
            buffer.append((record.offset, decoder.decode(record.value or b"")))
        except ValueError as fault:
            raise UserError(
                f"{topic}-{record.partition} offset {record.offset}: {fault}. "
                "Export it with the code that wrote it, to a folder of its own."
            ) from None
        count += 1
        if len(buffer) >= PART_RECORDS:
            _write(dataset, record.partition, buffer, advance)
    for partition, buffer in buffers.items():
        if buffer:
            _write(dataset, partition, buffer, advance)
    return count


def pending(settings: Settings, group: FeatureGroup, out: Path) -> int:
    """About how many records an export would add; transaction markers count, too."""
    topic = feature_log_topic(group.name, settings.output_prefix).name
    reached = Dataset(out, group).next_offsets()
    return sum(max(0, end - reached.get(partition, 0)) for partition, end in end_offsets(settings, topic).items())


def _write(dataset: Dataset, partition: int, buffer: list[tuple[int, FeatureRecord]], advance: Advance) -> None:
    """Write the buffered records as a part, and empty the buffer."""
    frame = to_frame(dataset.group, [record for _, record in buffer])
    dataset.write(partition, buffer[0][0], buffer[-1][0], frame)
    advance(len(buffer))
    buffer.clear()
