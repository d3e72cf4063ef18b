"""The job's partitions without Flink: keyed state in dictionaries that can be checkpointed and restored."""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

import fakeredis

from tests.reference import BY_TOPIC
from twinstream.core.stamping import StampingLimits
from twinstream.core.state import WindowConfig
from twinstream.job.keyed_partition import Computation, KeyedPartition
from twinstream.job.write_behind import Mirror
from twinstream.log.contract import Record
from twinstream.log.topics import dead_letter_topic, feature_log_topic
from twinstream.online.keys import Partition as Source
from twinstream.online.single_writer import Runtime
from twinstream.online.store import OnlineStore
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
    """A job of one subtask over one partition, with its own Redis.

    Attributes:
        rows: what has been given to the sink.
    """

    def __init__(
        self, topic: str, partition: int = 0, redis: Any = None, begins_beside: str = "", **settings: Any
    ) -> None:
        self.settings = Settings(**settings)
        self.begins_beside = begins_beside
        self.redis = redis or fakeredis.FakeRedis(server=fakeredis.FakeServer(), protocol=2)
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
        store = OnlineStore(self.redis, settings.namespace, "memory", Runtime.JOB)
        mirror = Mirror(store, Source(self.topic, self.partition, group.name), group, "epoch")
        self.working = KeyedPartition(computation, self.keyed, mirror)
        self.working.share_memory(settings.cache_entities)

    def redis_copy(self) -> dict[bytes, bytes]:
        """Everything in Redis, as a backup would keep it."""
        return {key: self.redis.dump(key) for key in self.redis.keys("*")}

    def set_redis_back(self, copy: Mapping[bytes, bytes]) -> None:
        """Let Redis forget everything since the copy was made."""
        self.redis.flushall()
        for key, value in copy.items():
            self.redis.restore(key, 0, value)

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
        return logs | {key.decode(): self.redis.hgetall(key) for key in self.redis.keys("features:*")}


def batches(records: Sequence[Record], random: Random, largest: int) -> Iterable[Sequence[Record]]:
    """The records, cut anyhow."""
    at = 0
    while at < len(records):
        size = random.randint(1, largest)
        yield records[at : at + size]
        at += size
