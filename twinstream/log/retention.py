"""What Kafka has deleted before it was read. Everything that reads on from a noted offset says it in these words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from twinstream.errors import UserError
from twinstream.logging import get_logger


class IfLogLost(StrEnum):
    """What to do when Kafka has lost records that are still needed, or offsets that Redis has seen."""

    REFUSE = "refuse"
    CONTINUE = "continue"
    REBUILD = "rebuild"


class IfDeleted(StrEnum):
    """What a command without a state to rebuild does when Kafka has deleted records that it has not read."""

    REFUSE = "refuse"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True, order=True)
class Deleted:
    """Records that are gone: of a partition, from the first that was wanted up to the first that there is."""

    topic: str
    partition: int
    wanted: int
    beginning: int

    @property
    def count(self) -> int:
        """How many; offsets without a record among them, such as transaction markers, count, too."""
        return self.beginning - self.wanted

    def __str__(self) -> str:
        offsets = f"offset {self.wanted}" if self.count == 1 else f"offsets {self.wanted} to {self.beginning - 1}"
        return f"{self.count:,} records of {self.topic}-{self.partition} ({offsets})"


class RecordsDeleted(UserError):
    """Kafka has deleted records before they were read, and nobody has decided to go on without them.

    Args:
        deleted: which.
        remedy: what can be done, as a sentence.
    """

    def __init__(self, deleted: Iterable[Deleted], remedy: str) -> None:
        self.deleted = list(deleted)
        self.remedy = remedy
        super().__init__(f"Kafka has deleted {', '.join(map(str, self.deleted))} before they were read. {remedy}")


def deleted_records(topic: str, wanted: Mapping[int, int], beginnings: Mapping[int, int]) -> list[Deleted]:
    """The records that are gone, for partitions with the first offset that is wanted and the first that there is.

    >>> [str(each) for each in deleted_records("orders", {0: 5, 1: 7}, {0: 9, 1: 7})]
    ['4 records of orders-0 (offsets 5 to 8)']
    """
    return [
        Deleted(topic, number, offset, beginnings[number])
        for number, offset in sorted(wanted.items())
        if number in beginnings and beginnings[number] > offset
    ]


def going_on_without(deleted: Iterable[Deleted]) -> None:
    """Log what is gone, where a person has decided to go on: a command that runs on a schedule says so each time."""
    for each in deleted:
        _logger.warning("Kafka deleted records before they were read; going on without them", gone=str(each))


_logger = get_logger(__name__)
