"""What the groups that read one topic have in common: the decoding of its records, and its dead letters.

Each group decides for itself, by its own decoder and the lateness rule over what that accepts, so that a group which
comes or goes changes nothing for the others. Where groups decode alike and stand at the same place, they decide alike,
too: then it is done once. Whether it was cannot be told from the results.
"""

from collections.abc import Sequence
from typing import TypeVar

from twinstream.core.dead_letters import DeadLetter
from twinstream.core.partition import Applied, PartitionProcessor
from twinstream.core.stamping import SourceRecord, Stamped

F = TypeVar("F")


def stamp_together(
    processors: Sequence[PartitionProcessor[F]], records: Sequence[SourceRecord]
) -> list[list[Stamped | DeadLetter]]:
    """Stamp the next records of one partition for every group: one decoding for all that decode alike.

    Args:
        processors: of the groups that read the partition.
        records: in offset order.

    Returns:
        What each processor's `apply` takes, in their order.
    """
    if len(processors) == 1:
        return [processors[0].stamp(records)]
    done: dict[object, tuple[PartitionProcessor[F], list[Stamped | DeadLetter]]] = {}
    results = []
    for processor in processors:
        first_offset = max(processor.start_at, records[0].offset) if records else 0
        alike = id(processor.group.decoder), first_offset, processor.lateness
        if alike in done:
            other, stamped = done[alike]
            processor.stamped_as(other)
        else:
            stamped = processor.stamp(records)
            done[alike] = processor, stamped
        results.append(stamped)
    return results


def keep_letters_once(processors: Sequence[PartitionProcessor[F]], applied: Sequence[Applied[F]]) -> None:
    """Take the dead letters out that another group has written: a record has one for all that refuse it alike.

    A group that came to the topic later reads it from its beginning. What it refuses there by its decoder and the
    lateness rule, a group with the same decoder has refused in an earlier run.

    Args:
        processors: of the groups that read the partition.
        applied: what the same records brought about, of each.
    """
    if len(processors) == 1:
        return
    written: set[DeadLetter] = set()
    for processor, result in zip(processors, applied, strict=True):
        others = [each for each in processors if each.group.decoder is processor.group.decoder]
        before = max((each.emitted_until for each in others if each is not processor), default=0)
        result.dead_letters = [
            letter
            for letter in result.dead_letters
            if letter not in written and (letter.offset >= before or is_of_one_group(letter))
        ]
        written.update(result.dead_letters)


def is_of_one_group(letter: DeadLetter) -> bool:
    """Whether a record was refused by the states or features of a group, so that others may have decided otherwise."""
    return letter.reason in ("duplicate", "internal")
