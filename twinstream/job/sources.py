"""The source topics of a job, and the names under which Flink keeps what is theirs.

Everything that is kept of a topic is under a name made of the topic and its epoch alone. So a topic that comes, goes or
gets another epoch changes nothing for the others, and never finds what another epoch has left.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

SOURCE_UID = "source-"
"""How the uids of the operators begin that read a topic."""


@dataclass(frozen=True, slots=True)
class SourceTopic:
    """A source topic as it was when the job was started.

    Attributes:
        name: of the topic.
        epoch: names everything that its states depend on.
        partitions: how many it had.
        producer_timed: whether its records are stamped by their producers.
        begins_beside: the savepoint that the job continues from, if that has nothing of the topic in this epoch: it is
            read from its beginning. Empty otherwise.
    """

    name: str
    epoch: str
    partitions: int
    producer_timed: bool = False
    begins_beside: str = ""

    @property
    def id(self) -> str:
        """Names topic and epoch: twelve hexadecimal digits."""
        return sha256(f"{self.name}\n{self.epoch}".encode()).hexdigest()[:12]

    @property
    def uid(self) -> str:
        """Names the operator that reads it."""
        return f"{SOURCE_UID}{self.name}-{self.id}"


class PartitionKey(NamedTuple):
    """What Flink's key of a partition says: the topic's `SourceTopic.id`, and the partition's number."""

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
