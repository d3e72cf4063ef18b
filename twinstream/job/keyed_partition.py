"""One source partition in the job: a micro-batch in; keyed state, Redis and output rows out.

For a batch, in this order:

1. stamp its records for all groups that read the topic, with the functions that the loop uses, and then for each group:
2. apply them, keep what changed in keyed state, and forget the entities whose time is over: all that is part of Flink's
   next checkpoint;
3. settle the group's batch before, which is to say: make sure that Redis has it. Then send this one, fenced. If no
   other follows, a timer settles it, which is part of the checkpoint, too: so no crash makes anybody forget what Redis
   has not got;
4. hand the feature-log records and dead letters to Flink's transactional sink.

Each group has a mark of its own. When a group comes or goes, the topic is read again from its beginning, and a group
skips what lies below its mark.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from twinstream.batching import cut
from twinstream.core.dead_letters import DeadLetter, encode_dead_letter
from twinstream.core.fingerprint import fingerprint
from twinstream.core.partition import Applied
from twinstream.core.shared_topic import is_of_one_group, keep_letters_once, stamp_together
from twinstream.core.stamping import Stamped
from twinstream.core.vectors import FeatureMessage
from twinstream.job.keyed_group import KeyedGroup, Mark
from twinstream.job.keyed_state import STORED, Keyed, PartOfMap
from twinstream.log.contract import Record

ROW_BYTES = 1024 * 1024
"""A row for the sink ends with the record that brings it to so many bytes of values."""


class OutputRow(NamedTuple):
    """Records for one of the output topics, each a key and a value."""

    topic: str
    records: Sequence[tuple[bytes | None, bytes]]


class OutOfOrder(Exception):
    """The records of a partition did not come in offset order; nothing computed from them could be trusted."""


class KeyedPartition:
    """A partition while a subtask owns it. Flink's current key must be the partition's during any call.

    Args:
        groups: those that read it.
        dead_letters: the topic of what they refuse.
    """

    def __init__(self, groups: Sequence[KeyedGroup], dead_letters: str) -> None:
        self.groups = groups
        self._dead_letters = dead_letters
        self._processors = [group.processor for group in groups]
        self._read_until = (
            0  # by this object: it skips what its groups have had, but nothing comes twice or out of order
        )
        for group in groups:
            alike = [each for each in groups if each.processor.group.decoder is group.processor.group.decoder]
            group.leave_letters_to_others(max(each.letters_from for each in alike))

    @property
    def cached_entities(self) -> int:
        """Entities in memory."""
        return sum(group.cached_entities for group in self.groups)

    @property
    def conflicts(self) -> int:
        """Entities written so far, batch by batch, that another partition has features of too."""
        return sum(group.conflicts for group in self.groups)

    @property
    def next_offset(self) -> int:
        """Of the record to come for the group that is least far."""
        return min(group.next_offset for group in self.groups)

    @property
    def newest_ms(self) -> int | None:
        """The newest event time that the lateness rules of the groups that are least far believe; None before any."""
        at = self.next_offset
        known = (group.newest_ms for group in self.groups if group.next_offset == at)
        return max((newest for newest in known if newest is not None), default=None)

    @property
    def unsettled(self) -> bool:
        """Whether `settle` has to be called soon, and nothing checkpointed without a reminder to do so."""
        return any(group.unsettled for group in self.groups)

    def process(self, records: Sequence[Record]) -> dict[str, Applied[FeatureMessage]]:
        """Apply the next records of the partition, keep the results in keyed state, and send them to Redis.

        Returns:
            What they brought about, by group; nothing when all groups have had them.

        Raises:
            OutOfOrder: they are not the next ones.
            StoreUnavailable, StoreMismatch: Redis is away for long, or somebody else keeps taking the partition.
        """
        self._check_order(records)
        if self._read_until <= self.next_offset:
            return {}
        held = [group.hold() for group in self.groups]
        applied = [
            group.apply(of_group, stamped, self._read_until)
            for group, of_group, stamped in zip(self.groups, held, self._stamp(records), strict=True)
        ]
        keep_letters_once(self._processors, applied)
        for group, result in zip(self.groups, applied, strict=True):
            if records[0].offset < group.letters_from:
                result.dead_letters = [each for each in result.dead_letters if _is_to_be_written(each, group)]
        return {group.name: result for group, result in zip(self.groups, applied, strict=True)}

    def settle(self) -> None:
        """See to it that Redis has all that keyed state has.

        Raises:
            StoreUnavailable, StoreMismatch: as `process`.
        """
        for group in self.groups:
            group.settle()

    def redis_has_lost(self) -> bool:
        """Whether Redis lacks what keyed state has of a group; False while it does not answer."""
        return any(group.redis_has_lost() for group in self.groups)

    def repopulate(self) -> None:
        """Write to Redis what it has lost.

        Raises:
            StoreUnavailable: Redis is away for long.
        """
        for group in self.groups:
            if group.redis_has_lost():
                group.repopulate()

    def leave(self) -> None:
        """Settle the last batch if that is possible at once. Flink's current key does not matter here."""
        for group in self.groups:
            group.leave()

    def rows(self, applied: Mapping[str, Applied[FeatureMessage]]) -> Iterator[OutputRow]:
        """What the sink is to write of a batch."""
        for group in self.groups:
            if group.name in applied:
                yield from _rows(group.feature_log, applied[group.name].features)
        of_all = (letter for result in applied.values() for letter in result.dead_letters)
        letters = sorted(of_all, key=attrgetter("offset"))  # in one order, however the log is cut into batches
        yield from _rows(self._dead_letters, ((letter.key, encode_dead_letter(letter)) for letter in letters))

    def _stamp(self, records: Sequence[Record]) -> list[list[Stamped | DeadLetter]]:
        return stamp_together(self._processors, records)

    def _check_order(self, records: Sequence[Record]) -> None:
        expected = self._read_until
        for record in records:
            if record.offset < expected:
                raise OutOfOrder(f"{record.topic}-{record.partition}: offset {record.offset} came after {expected - 1}")
            expected = record.offset + 1
        self._read_until = expected


def forget_others(keyed: Keyed, groups: Collection[str]) -> None:
    """Remove what other groups have left in the keyed state of a partition, or these in other lives.

    Args:
        keyed: the state.
        groups: the `SourceGroup.id` of those that read the partition.
    """
    marks = keyed.marks.keys()
    for other in [each for each in marks if each not in groups]:
        PartOfMap(keyed.entities, other).clear()
        PartOfMap(keyed.expiries, other).clear()
        keyed.marks.remove(other)


def _is_to_be_written(letter: DeadLetter, group: KeyedGroup) -> bool:
    return letter.offset >= group.letters_from or is_of_one_group(letter)


def _rows(topic: str, records: Iterable[tuple[bytes | None, bytes]]) -> Iterator[OutputRow]:
    """The records cut into rows: a row lies in Flink's memory several times over, so it must not be of any size."""
    return (OutputRow(topic, together) for together in cut(records, lambda record: len(record[1]), ROW_BYTES))


LAYOUT = fingerprint(Mark, *STORED)
"""Of what lies in keyed state around the entities' states; for the operators' uids, see `dataflow.stage_uid`."""
