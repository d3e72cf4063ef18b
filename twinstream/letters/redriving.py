"""Sending records back, each once.

1. Open the transactional producer of this topic's re-driving. Whoever was at it is fenced, and what it left pending is
   decided.
2. Read the notes: what was re-driven before.
3. In one transaction, write records to the source topic, their provenance in the headers, and a note of each.

A crash leaves record and note, or neither; two at a time cannot both pass step 2 with the same notes and commit.
"""

from collections.abc import Generator, Sequence
from contextlib import closing, nullcontext, suppress
from typing import Any

import msgspec

from twinstream.batching import cut
from twinstream.core.feature_group import FeatureGroup
from twinstream.letters.selection import Choice, Note, notes_topic, place, read_letters, read_notes
from twinstream.letters.transform import Transform
from twinstream.letters.verdicts import Judge, Judged, Verdict
from twinstream.log.kafka import LogError, TopicAdmin, end_offsets, read_topic
from twinstream.log.kafka.sender import Message, Sender
from twinstream.log.rows import row_decoder
from twinstream.log.topics import feature_log_topic
from twinstream.registry import Registry
from twinstream.settings import Settings

TAIL_RECORDS = 500
"""How many of the last records of a feature log are asked how far event time has got."""

BATCH_RECORDS, BATCH_BYTES = 200, 8 * 1024 * 1024
"""Most that goes into one transaction, unless a single record is larger."""

FROM_HEADER, REASON_HEADER, TRANSFORM_HEADER = (
    f"twinstream.redriven.{name}" for name in ("from", "reason", "transform")
)
"""Headers of a re-driven record: the place of the record that was set aside, why it was, and what repaired it."""


def redrive(
    settings: Settings,
    registry: Registry,
    choice: Choice,
    *,
    transform: Transform | None = None,
    dry_run: bool = False,
    even_late: bool = False,
    again: bool = False,
) -> Generator[Judged, None, None]:
    """Send back what can be sent of the chosen dead letters; yields what became of each. To be closed if not exhausted.

    Args:
        settings: where, and the runtimes' limits.
        registry: the groups.
        choice: which.
        transform: repairs records.
        dry_run: only tell.
        even_late: also what the runtimes will set aside as late, for backfills with dead letters.
        again: also what was re-driven and refused again.
    """
    for topic in choice.topics:
        groups, prefix = registry.of_topic(topic), settings.output_prefix
        name = notes_topic(topic, prefix)
        if not dry_run:
            with TopicAdmin(settings) as admin:
                admin.create(name, 1, {"retention.ms": "-1"})
        opened: Any = nullcontext() if dry_run else Sender(settings, f"{name}.sender")
        with opened as sender:
            notes = read_notes(settings, topic)
            newest_ms = _certainly_reached(settings, topic, groups)
            judge = Judge(groups, settings, notes, newest_ms, transform, even_late, again)
            with closing(read_letters(settings, Choice((topic,), choice.reasons, choice.since_ms))) as chosen:
                judged = map(judge.judge, chosen)
                for batch in cut(judged, lambda each: len(each.value), BATCH_BYTES, BATCH_RECORDS):
                    if sender is not None:
                        send = [each for each in batch if each.verdict is Verdict.SEND]
                        _send(sender, name, send, None if transform is None else transform.name)
                    yield from batch


def _certainly_reached(settings: Settings, topic: str, groups: Sequence[FeatureGroup]) -> dict[str, dict[int, int]]:
    """`newest_event_times`; nothing where producers stamp the records, since a fast clock may be the newest."""
    with TopicAdmin(settings) as admin:
        if admin.producer_timed([topic]):
            return {}
    return newest_event_times(settings, groups)


def newest_event_times(settings: Settings, groups: Sequence[FeatureGroup]) -> dict[str, dict[int, int]]:
    """By group and source partition, an event time that it has certainly reached: the newest at the end of its log.

    Groups that decode alike have the same watermark, so the feature logs of all of them tell of each: one that has come
    to the topic lately is not there yet. Any other group's log tells nothing: it may accept what this one refuses.
    """
    own = {group.name: _newest_in_log(settings, group.name) for group in groups}
    newest: dict[str, dict[int, int]] = {}
    for group in groups:
        alike = [own[each.name] for each in groups if each.decoder is group.decoder]
        partitions = {partition for times in alike for partition in times}
        newest[group.name] = {
            partition: max(times[partition] for times in alike if partition in times) for partition in partitions
        }
    return newest


def _newest_in_log(settings: Settings, group: str) -> dict[int, int]:
    """By source partition, the newest event time at the end of a group's feature log."""
    topic = feature_log_topic(group, settings.output_prefix).name
    start = {partition: max(0, end - TAIL_RECORDS) for partition, end in end_offsets(settings, topic).items()}
    newest: dict[int, int] = {}
    if start:
        with closing(read_topic(settings, topic, start=start)) as records:
            for row in map(_decode_row, records):
                newest[row.partition] = max(row.event_time, newest.get(row.partition, 0))
    return newest


class _Row(msgspec.Struct, gc=False):
    """What is needed of a feature-log record."""

    event_time: int
    partition: int


_decode_row = row_decoder(_Row, "feature record")


def _send(sender: Sender, name: str, send: Sequence[Judged], transform: str | None) -> None:
    """Send records and their notes in one transaction."""
    if not send:
        return
    sender.begin()
    try:
        places = sender.send([_message(judged, transform) for judged in send])
        sender.send(
            [
                Message(name, place(judged.letter).encode(), _note(judged, partition, offset, transform))
                for judged, ((_, partition), offset) in zip(send, places, strict=True)
            ]
        )
        sender.commit()
    except BaseException:
        with suppress(LogError):  # what cannot be aborted now is aborted when the next one opens its producer
            sender.abort()
        raise


def _message(judged: Judged, transform: str | None) -> Message:
    """The record to send: to its old partition, unless it has turned out to be another entity's."""
    letter = judged.letter
    headers = [(FROM_HEADER, place(letter).encode()), (REASON_HEADER, letter.reason.encode())]
    if transform is not None:
        headers.append((TRANSFORM_HEADER, transform.encode()))
    partition = letter.partition if judged.key == letter.key else None
    return Message(letter.topic, judged.key, judged.value, headers, partition)


def _note(judged: Judged, partition: int, offset: int, transform: str | None) -> bytes:
    letter = judged.letter
    return msgspec.json.encode(
        Note(
            topic=letter.topic,
            partition=letter.partition,
            offset=letter.offset,
            redriven_partition=partition,
            redriven_offset=offset,
            transform=transform,
        )
    )
