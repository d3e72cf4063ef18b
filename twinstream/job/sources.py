"""The source topics of a job, the groups that read them, and the names under which Flink keeps what is theirs.

What is kept of a group is under a name made of its topic, its own name, its epoch, and the savepoint beside which it
began. So a group that comes, goes or gets another epoch changes nothing for the others, and never finds what another
has left.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

SOURCE_UID = "source-"
"""How the uids of the operators begin that read a topic."""

_NAME_DIGITS, _LIFE_DIGITS = 12, 6


@dataclass(frozen=True, slots=True)
class SourceGroup:
    """A feature group that reads a source topic.

    Attributes:
        topic: which.
        name: of the group.
        epoch: names everything that its states depend on.
        life: tells its states from those that it had before it went and came back: six hexadecimal digits of the
            savepoint beside which it began; empty when it began without one.
    """

    topic: str
    name: str
    epoch: str
    life: str = ""

    @property
    def identity(self) -> str:
        """Names topic, group and epoch: twelve hexadecimal digits."""
        return _digits(_NAME_DIGITS, self.topic, self.name, self.epoch)

    @property
    def id(self) -> str:
        """The name of all that is kept of it."""
        return self.identity + self.life


@dataclass(frozen=True, slots=True)
class SourceTopic:
    """A source topic as it was when the job was started.

    Attributes:
        name: of the topic.
        topic_id: Kafka's own name for it, which is another one when the topic is created anew.
        partitions: how many it had.
        groups: which read it.
        producer_timed: whether its records are stamped by their producers.
    """

    name: str
    topic_id: str
    partitions: int
    groups: tuple[SourceGroup, ...]
    producer_timed: bool = False

    @property
    def id(self) -> str:
        """Names the topic for the keys of its partitions, whoever reads it: twelve hexadecimal digits."""
        return _digits(_NAME_DIGITS, self.name, self.topic_id)

    @property
    def uid(self) -> str:
        """Names the operator that reads it for these groups: the place that it has reached is theirs alone."""
        return f"{SOURCE_UID}{self.name}-{'.'.join(sorted(group.id for group in self.groups))}"

    @property
    def reading(self) -> str:
        """Names the same, for the keys of the records that it has read: twelve hexadecimal digits."""
        return _digits(_NAME_DIGITS, self.uid)


def life_beside(savepoint: str) -> str:
    """The `life` of groups that begin beside a savepoint."""
    return _digits(_LIFE_DIGITS, savepoint)


def groups_named(uids: Iterable[str]) -> dict[str, str]:
    """The `SourceGroup.id` of all groups that operators with these uids read for, by their `identity`.

    >>> groups_named(["source-a-b-5ca1ab1e0000.5ca1ab1e0001c0ffee", "output"])
    {'5ca1ab1e0000': '5ca1ab1e0000', '5ca1ab1e0001': '5ca1ab1e0001c0ffee'}
    """
    sources = (uid for uid in uids if uid.startswith(SOURCE_UID))
    ids = (each for uid in sources for each in uid.rpartition("-")[2].split("."))
    return {each[:_NAME_DIGITS]: each for each in ids}


def _digits(count: int, *parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()[:count]


class PartitionKey(NamedTuple):
    """What Flink's key of a partition says: the topic's `SourceTopic.id` or `reading`, and the partition's number."""

    source: str
    number: int

    def text(self, salt: int | None = None) -> str:
        """The key; `salt` makes another one of it, of the same meaning.

        >>> PartitionKey("5ca1ab1e0000", 3).text(), PartitionKey("5ca1ab1e0000", 3).text(17)
        ('5ca1ab1e0000.3', '5ca1ab1e0000.3.17')
        """
        return f"{self.source}.{self.number}" if salt is None else f"{self.source}.{self.number}.{salt}"

    @classmethod
    def parse(cls, text: str) -> "PartitionKey":
        """What a key says.

        >>> PartitionKey.parse("5ca1ab1e0000.3.17")
        PartitionKey(source='5ca1ab1e0000', number=3)
        """
        source, number, *_ = text.split(".")
        return cls(source, int(number))
