"""The job's partitions without Flink: keyed state in dictionaries that can be checkpointed and restored."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, NamedTuple

from tests.reference import BY_TOPIC
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.stamping import StampingLimits
from twinstream.core.state import WindowConfig
from twinstream.job.keyed_group import Computation, KeyedGroup
from twinstream.job.keyed_partition import KeyedPartition, forget_others
from twinstream.job.savepoint import continue_from
from twinstream.job.sources import SourceGroup, SourceTopic
from twinstream.job.stored_partition import StoredPartition
from twinstream.log.contract import Record
from twinstream.log.topics import dead_letter_topic, feature_log_topic
from twinstream.online.contract import Partition as Source
from twinstream.online.memory import MemoryDatabase, MemoryStore
from twinstream.online.redis.keys import features_key
from twinstream.online.single_writer import Runtime
from twinstream.settings import Settings


class MemoryMap(dict[str, bytes]):
    """A map state."""

    def put(self, key: str, value: bytes) -> None:
        self[key] = value

    def remove(self, key: str) -> None:
        self.pop(key, None)


class MemoryKeyed:
    """Keyed state of one partition."""

    def __init__(self) -> None:
        self.entities = MemoryMap()
        self.expiries = MemoryMap()
        self.marks = MemoryMap()

    def copy(self) -> "MemoryKeyed":
        """What a checkpoint keeps."""
        copied = MemoryKeyed()
        copied.entities.update(self.entities)
        copied.expiries.update(self.expiries)
        copied.marks.update(self.marks)
        return copied


class Sent(NamedTuple):
    """A record given to the sink."""

    topic: str
    key: bytes | None
    value: bytes


class MemoryJob:
    """A job of one subtask over one partition, with an online store of its own unless it is given one.

    Args:
        topic, partition: which.
        database: of the store.
        groups: those that read the topic; by default the reference group of the topic.
        settings: that differ from the usual ones.

    Attributes:
        store: what the job writes with.
        rows: what has been given to the sink.
        keyed: keyed state.
        working: the partition as the stage has it.
        read_as: the topic, with the names under which the groups' states are kept.
    """

    def __init__(
        self,
        topic: str,
        partition: int = 0,
        database: MemoryDatabase | None = None,
        groups: Sequence[FeatureGroup] = (),
        **settings: Any,
    ) -> None:
        self.settings = Settings(**settings)
        self.database = database or MemoryDatabase()
        self.store = MemoryStore(self.database, self.settings.namespace, Runtime.JOB)
        self.topic, self.partition = topic, partition
        self.rows: list[Sent] = []
        self.groups = tuple(groups or [BY_TOPIC[topic]])
        self.read_as = self._source()
        self.restore(MemoryKeyed(), 0)

    @property
    def source(self) -> Source:
        """The first group's part of the partition, for the online store."""
        return Source(self.topic, self.partition, self.groups[0].name)

    def checkpoint(self) -> tuple[MemoryKeyed, int]:
        """Keyed state and output as they are now, whether or not Redis has the last batch."""
        return self.keyed.copy(), len(self.rows)

    def restore(self, keyed: MemoryKeyed, rows: int) -> None:
        """Begin anew from a checkpoint; output after it was never committed."""
        del self.rows[rows:]
        self.keyed = keyed.copy()
        forget_others(self.keyed, {group.id for group in self.read_as.groups})
        groups = [self._open(group, reader.id) for group, reader in zip(self.groups, self.read_as.groups, strict=True)]
        self.working = KeyedPartition(groups, dead_letter_topic(self.topic).name)
        for each in groups:
            each.share_memory(self.settings.cache_entities)

    def go_on_with(self, groups: Sequence[FeatureGroup], savepoint: str) -> bool:
        """Stop with a savepoint, and continue from it with these groups.

        Returns:
            Whether the topic is read again from its beginning.
        """
        kept, found = self.checkpoint(), {"stage", self.read_as.uid}
        self.groups = tuple(groups)
        (self.read_as,) = continue_from(savepoint, found, [self._source()], {"stage"}).sources
        self.restore(*kept)
        return self.read_as.uid not in found

    def _source(self) -> SourceTopic:
        """The topic as its groups read it who begin without a savepoint."""
        readers = (SourceGroup(self.topic, group.name, "epoch") for group in self.groups)
        return SourceTopic(self.topic, "topic id", 1, tuple(readers))

    def _open(self, group: FeatureGroup, name: str) -> KeyedGroup:
        settings = self.settings
        computation = Computation(
            name,
            group,
            WindowConfig(settings.window_ms, settings.max_events_per_entity),
            StampingLimits(settings.max_record_bytes, settings.lateness_ms, settings.max_future_skew_ms),
            feature_log_topic(group.name).name,
        )
        place = Source(self.topic, self.partition, group.name)
        return KeyedGroup(computation, self.keyed, StoredPartition(self.store, place, group, "epoch"))

    def run(self, records: Sequence[Record], random: Random, largest: int = 60) -> None:
        """Process records in batches of any sizes. The timer fires after some of them, and after the last."""
        for batch in batches(records, random, largest):
            self.process(batch)
            if random.random() < 0.3:
                self.working.settle()
        if self.working.unsettled:
            self.working.settle()

    def process(self, batch: Sequence[Record]) -> None:
        """Process records as one batch."""
        for topic, records in self.working.rows(self.working.process(batch)):
            self.rows += [Sent(topic, *record) for record in records]

    def outputs(self) -> dict[str, Any]:
        """Output and features, to be compared with another run's."""
        logs: dict[str, Any] = {}
        for row in self.rows:
            logs.setdefault(row.topic, []).append((self.partition, row.key, row.value))
        return logs | {
            features_key(group.name, entity): {name.encode(): value.encode() for name, value in fields.items()}
            for group in self.groups
            for entity, fields in self.store.all_features(group.name)
        }

    @property
    def stored_offset(self) -> int | None:
        """How far the online store has the first group's part: the next offset; None when it has nothing."""
        recorded = self.store.progress(self.source)
        return None if recorded is None or recorded.progress is None else recorded.progress.next_offset


def batches(records: Sequence[Record], random: Random, largest: int) -> Iterable[Sequence[Record]]:
    """The records, cut anyhow."""
    at = 0
    while at < len(records):
        size = random.randint(1, largest)
        yield records[at : at + size]
        at += size
