"""A place to try an `EventLog`: topics, records in, workers, records out. One for each implementation."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from kafka import KafkaAdminClient, KafkaProducer

from twinstream.log.kafka import (
    Committed,
    EventLog,
    KafkaLog,
    PositionLost,
    Record,
    TopicAdmin,
    TopicPartition,
    read_topic,
)
from twinstream.log.memory import MemoryBroker, MemoryLog
from twinstream.settings import load_settings

PATIENCE_S = 90.0
"""How long a slow machine may take for what a fast one does in a second."""

Line = tuple[int, bytes | None, bytes | None]
"""Partition, key and value of a record to write."""


class Worker:
    """A log and what its callbacks were told; by default it seeks to the committed offset, else to the beginning."""

    def __init__(self, start_at: Callable[[EventLog, TopicPartition], int] | None = None) -> None:
        self.log: Any = None
        self.told: list[tuple[str, list[TopicPartition]]] = []
        self._start_at = start_at or committed_or_beginning

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self.told.append(("assigned", list(partitions)))
        for partition in partitions:
            self.log.seek(partition, self._start_at(self.log, partition))

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.told.append(("revoked", list(partitions)))

    def poll_until(self, done: Callable[[], bool], seconds: float = PATIENCE_S) -> list[Record]:
        """Poll until `done`, and return the records that came meanwhile."""
        records: list[Record] = []
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"nothing happened within {seconds} s"
            for polled in self.log.poll(100, 1_000).values():
                records += polled
        return records

    def join(self) -> "Worker":
        self.poll_until(lambda: bool(self.log.assignment()))
        return self

    def read(self, count: int) -> list[Record]:
        """Poll until `count` records have come, and once more to see that there are no others."""
        records: list[Record] = []
        deadline = time.monotonic() + PATIENCE_S
        while len(records) < count:
            assert time.monotonic() < deadline, f"only {len(records)} of {count} records came"
            for polled in self.log.poll(100, 1_000).values():
                records += polled
        for polled in self.log.poll(150, 1_000).values():
            records += polled
        return records

    def read_whatever_is_lost(self, done: Callable[[list[Record]], bool]) -> tuple[list[Record], set[TopicPartition]]:
        """Poll until `done` with the records; lost partitions are read from 0 on, and returned too."""
        records: list[Record] = []
        lost: set[TopicPartition] = set()
        deadline = time.monotonic() + PATIENCE_S
        while not done(records):
            assert time.monotonic() < deadline, records
            try:
                for polled in self.log.poll(100, 10).values():
                    records += polled
            except PositionLost as loss:
                lost.update(loss.partitions)
                for partition in loss.partitions:
                    self.log.seek(partition, 0)
        return records, lost


def committed_or_beginning(log: EventLog, partition: TopicPartition) -> int:
    committed = log.committed(partition)
    return log.beginning_offset(partition) if committed is None else committed.offset


def write(worker: Worker, source: str, output: str, value: bytes, offset: int) -> None:
    """One record and the offset after what it was made of, in one transaction."""
    with worker.log.transaction() as transaction:
        transaction.send(output, b"key", value, 0)
        transaction.commit_offsets({TopicPartition(source, 0): Committed(offset)})


class Lab(Protocol):
    def topic(self, partitions: int = 4) -> str: ...
    def recreate(self, topic: str) -> None: ...
    def write(self, topic: str, lines: Iterable[Line]) -> None: ...
    def read(self, topic: str) -> list[Record]: ...
    def worker(self, topics: Sequence[str], start_at: Callable[..., int] | None = None) -> Worker: ...


class MemoryLab:
    def __init__(self) -> None:
        self._broker = MemoryBroker([], 4)
        self._count = 0

    def topic(self, partitions: int = 4) -> str:
        self._count += 1
        name = f"topic-{self._count}"
        self._broker.partitions = partitions
        self._broker.create(name)
        return name

    def recreate(self, topic: str) -> None:
        self._broker.create(topic)

    def write(self, topic: str, lines: Iterable[Line]) -> None:
        for partition, key, value in lines:
            self._broker.append(topic, partition, key, value)

    def read(self, topic: str) -> list[Record]:
        return self._broker.records(topic)

    def worker(self, topics: Sequence[str], start_at: Callable[..., int] | None = None) -> Worker:
        worker = Worker(start_at)
        worker.log = MemoryLog(self._broker, topics, worker.on_assigned, worker.on_revoked)
        return worker


class KafkaLab:
    """Topics and workers of one consumer group on a real broker; everything is closed when the `with` block ends."""

    def __init__(self, servers: str, unique: Callable[[str], str], slots: Path) -> None:
        self.servers = servers
        self.group = unique("group")
        self._unique = unique
        self._slots = slots
        self._open: list[KafkaLog] = []

    def __enter__(self) -> "KafkaLab":
        return self

    def __exit__(self, *_: object) -> None:
        for log in self._open:
            log.close()

    def topic(self, partitions: int = 4, **configs: str) -> str:
        name = self._unique("topic")
        self._create(name, partitions, configs)
        return name

    def _create(self, name: str, partitions: int, configs: dict[str, str]) -> None:
        with TopicAdmin(self.servers) as admin:
            admin.create(name, partitions, {key.replace("_", "."): value for key, value in configs.items()})

    def recreate(self, topic: str) -> None:
        with TopicAdmin(self.servers) as admin:
            partitions = admin.partitions()[topic]
            admin.delete([topic])
            admin.create(topic, partitions)

    def add_partitions(self, topic: str, total: int) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.servers)
        admin.create_partitions({topic: total})
        admin.close()

    def write(self, topic: str, lines: Iterable[Line]) -> None:
        with self.producer() as producer:
            futures = [producer.send(topic, value, key, partition=number) for number, key, value in lines]
            for future in futures:
                future.get(20)

    @contextlib.contextmanager
    def producer(self) -> Iterator[KafkaProducer]:
        producer = KafkaProducer(bootstrap_servers=self.servers, max_request_size=32 * 1024 * 1024)
        try:
            yield producer
        finally:
            producer.close()

    def read(self, topic: str) -> list[Record]:
        return list(read_topic(self.servers, topic))

    def worker(
        self,
        topics: Sequence[str],
        start_at: Callable[..., int] | None = None,
        slots: Path | None = None,
        slot: int | None = None,
    ) -> Worker:
        worker = Worker(start_at)
        settings = load_settings(kafka_servers=self.servers, consumer_group=self.group, worker_slot=slot)
        worker.log = KafkaLog(settings, topics, worker.on_assigned, worker.on_revoked, slots or self._slots)
        self._open.append(worker.log)
        return worker
