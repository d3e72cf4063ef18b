"""Dead letters from Kafka, chosen by source topic, reason and time; and the notes of those that were re-driven."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import msgspec

from twinstream.core.dead_letters import DeadLetter
from twinstream.core.rejection import REASONS
from twinstream.errors import UserError
from twinstream.log.kafka import TopicAdmin, read_topic
from twinstream.log.rows import decode_letter, row_decoder
from twinstream.log.topics import dead_letter_topic
from twinstream.registry import Registry
from twinstream.settings import Settings


@dataclass(frozen=True, slots=True)
class Choice:
    """Which dead letters; without a restriction, all.

    Attributes:
        topics: source topics.
        reasons: why they were set aside.
        since_ms: when their records came in, or later; epoch ms.
    """

    topics: tuple[str, ...]
    reasons: frozenset[str] = frozenset()
    since_ms: int | None = None

    def __post_init__(self) -> None:
        """Check the names."""
        for reason in self.reasons:
            if reason not in REASONS:
                raise UserError(f"There is no reason {reason!r}. Choose from {', '.join(REASONS)}.")

    def has(self, letter: DeadLetter) -> bool:
        """Whether a dead letter is chosen."""
        return (not self.reasons or letter.reason in self.reasons) and (
            self.since_ms is None or letter.timestamp >= self.since_ms
        )


class Note(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is noted of a re-driven dead letter.

    Attributes:
        topic, partition, offset: of the record that was set aside; they name its dead letter.
        redriven_partition, redriven_offset: where the record stands now in the same topic.
        transform: name and digest of the script that repaired it; null if it went back as it was.
    """

    topic: str
    partition: int
    offset: int
    redriven_partition: int
    redriven_offset: int
    transform: str | None


@dataclass(slots=True)
class Notes:
    """Which records of a topic have been re-driven, and which are re-driven ones, as (partition, offset)."""

    redriven: set[tuple[int, int]]
    came_back: set[tuple[int, int]]


def notes_topic(source: str, prefix: str) -> str:
    """The topic that notes which dead letters of a source topic were re-driven."""
    return f"{dead_letter_topic(source, prefix).name}.redriven"


def read_letters(settings: Settings, choice: Choice) -> Generator[DeadLetter, None, None]:
    """The chosen dead letters in the order of their topics; to be closed as `read_topic` is.

    One group's are in the order of their records. A group that came to a topic later wrote its own later.
    """
    for topic in choice.topics:
        with closing(read_topic(settings, dead_letter_topic(topic, settings.output_prefix).name)) as records:
            for letter in map(decode_letter, records):
                if choice.has(letter):
                    yield letter


def read_notes(settings: Settings, topic: str) -> Notes:
    """What was re-driven to a source topic so far."""
    name = notes_topic(topic, settings.output_prefix)
    with TopicAdmin(settings) as admin:
        if name not in admin.partitions():
            return Notes(set(), set())
    with closing(read_topic(settings, name)) as records:
        notes = [_decode_note(record) for record in records]
    return Notes(
        {(note.partition, note.offset) for note in notes},
        {(note.redriven_partition, note.redriven_offset) for note in notes},
    )


def place(letter: DeadLetter) -> str:
    """Where its record stands; what `show` takes.

    >>> place(DeadLetter(reason="late", detail="", topic="orders", partition=2, offset=17, timestamp=0, watermark=None,
    ...     lateness_ms=None, key=None, value=None))
    'orders-2@17'
    """
    return f"{letter.topic}-{letter.partition}@{letter.offset}"


def find(settings: Settings, registry: Registry, wanted: str) -> list[DeadLetter]:
    """The dead letters of the record at a place: one, or several where groups refused it for different reasons.

    Raises:
        UserError: there is none, or that is no place.
    """
    topic, _, rest = wanted.rpartition("-")
    partition, _, offset = rest.partition("@")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise UserError(f"{wanted!r} is no place of a record. Give one as `list` shows it, like transactions-2@17.")
    registry.of_topic(topic)  # which says so if there is none
    at = int(partition), int(offset)
    with closing(read_letters(settings, Choice((topic,)))) as letters:
        found = dict.fromkeys(letter for letter in letters if (letter.partition, letter.offset) == at)
    if not found:
        raise UserError(f"{wanted} has no dead letter. See those there are with: twinstream dead-letters list")
    return list(found)


_decode_note = row_decoder(Note, "note of a re-driven record")
