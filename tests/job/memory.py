"""The job's partitions without Flink: keyed state in dictionaries that can be checkpointed and restored."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, NamedTuple

from tests.reference import BY_TOPIC
from twinstream.core.stamping import StampingLimits
from twinstream.core.state import WindowConfig
from twinstream.job.keyed_partition import Computation, KeyedPartition
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
        self.due = MemoryMap()
        self._mark: bytes | None = None

    def mark(self) -> bytes | None:
        return self._mark

    def set_mark(self, mark: bytes) -> None:
        self._mark = mark

    def clear(self) -> None:
        self.entities.clear()
        self.due.clear()
        self._mark = None

    def copy(self) -> "MemoryKeyed":
        """What a checkpoint keeps."""
        copied = MemoryKeyed()
        copied.entities.update(self.entities)
        copied.due.update(self.due)
        copied._mark = self._mark
        return copied


class Sent(NamedTuple):
    """A record given to the sink."""

    topic: str
    key: bytes | None
    value: bytes


class MemoryJob:
    """A job of one subtask over one partition, with an online store of its own unless it is given one.

    Attributes:
        store: what the job writes with.
        rows: what has been given to the sink.
    """

    def __init__(
        self,
        topic: str,
        partition: int = 0,
        database: MemoryDatabase | None = None,
        begins_beside: str = "",
        **settings: Any,
    ) -> None:
        self.settings = Settings(**settings)
        self.begins_beside = begins_beside
        self.database = database or MemoryDatabase()
        self.store = MemoryStore(self.database, self.settings.namespace, Runtime.JOB)
        self.topic, self.partition = topic, partition
        self.rows: list[Sent] = []
        self.keyed = MemoryKeyed()
        self.restore(self.keyed, 0)

    def checkpoint(self) -> tuple[MemoryKeyed, int]:
        """Keyed state and output as they are now, whether or not Redis has the last batch."""
        return self.keyed.copy(), len(self.rows)

    def restore(self, keyed: MemoryKeyed, rows: int) -> None:
        """Begin anew from a checkpoint; output after it was never committed."""
        del self.rows[rows:]
        self.keyed = keyed.copy()
        settings, group = self.settings, BY_TOPIC[self.topic]
        computation = Computation(
            group,
            WindowConfig(settings.window_ms, settings.max_events_per_entity),
            StampingLimits(settings.max_record_bytes, settings.lateness_ms, settings.max_future_skew_ms),
            feature_log_topic(group.name).name,
            dead_letter_topic(self.topic).name,
            self.begins_beside,
        )
        self.source = Source(self.topic, self.partition, group.name)
        stored = StoredPartition(self.store, self.source, group, "epoch")
        self.working = KeyedPartition(computation, self.keyed, stored)
        self.working.share_memory(settings.cache_entities)

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
        features = self.store.all_features(self.source.group)
        return logs | {
            features_key(self.source.group, entity): {name.encode(): value.encode() for name, value in fields.items()}
            for entity, fields in features
        }

    @property
    def stored_offset(self) -> int | None:
        """How far the online store has the partition: the next offset; None when it has nothing."""
        recorded = self.store.progress(self.source)
        return None if recorded is None or recorded.progress is None else recorded.progress.next_offset


def batches(records: Sequence[Record], random: Random, largest: int) -> Iterable[Sequence[Record]]:
    """The records, cut anyhow."""
    at = 0
    while at < len(records):
        size = random.randint(1, largest)
        yield records[at : at + size]
        at += size
