"""Transactions on kafka-python: whole batches in, one outcome out.

What is done here that `KafkaProducer`'s own methods leave to chance:
- Records are encoded into one batch per partition as they come (`encoding`), so a record costs a fraction of `send`.
- Every batch's own result is looked at before the commit: kafka-python commits a transaction in which a batch was given
  up for its delivery time-out.
- Every wait has an end: `commit_transaction` and its sisters wait for ever while the broker is away.
- After any failure the producer is thrown away, and the next one, of the same transactional id, makes the broker decide
  whatever was pending. There is one way out of every state.
"""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from kafka import KafkaProducer
from kafka import TopicPartition as ClientPartition
from kafka.errors import (
    AuthorizationError,
    FencedInstanceIdError,
    InvalidProducerEpochError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerFencedError,
    RecordListTooLargeError,
    TransactionalIdAuthorizationFailedError,
)
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.structs import OffsetAndMetadata

from twinstream.log.contract import (
    Committed,
    Fenced,
    KafkaUnavailable,
    LogError,
    NameTaken,
    NotAllowed,
    RecordTooLarge,
    TopicPartition,
    TransactionFailed,
)
from twinstream.log.kafka.batch_encoder import BatchBuffer
from twinstream.log.kafka.client_options import ANSWER_TIMEOUT_MS, WRITER_OPTIONS, connection_options
from twinstream.log.kafka.connecting import build_client
from twinstream.log.kafka.membership import name_taken
from twinstream.log.kafka.rights import refused
from twinstream.settings import Settings

MAGIC = 2
BATCH_BYTES = 512 * 1024
"""A batch is handed over before it grows above this, half of a topic's default limit. A larger record goes alone."""

OUTCOME_TIMEOUT_S = 20.0
"""How long a step of a transaction may take before it counts as failed."""


class TransactionalWriter:
    """The producer side of a worker: one transaction at a time, under one transactional id."""

    def __init__(self, settings: Settings, transactional_id: str) -> None:
        self.settings = settings
        self.name = transactional_id
        self._producer: Any = None
        self.open()

    def open(self) -> None:
        """Start a new producer; fences any other of this id and waits until its pending transaction is decided."""
        self.discard()
        options = connection_options(self.settings) | WRITER_OPTIONS | {"transactional_id": self.name}
        producer = build_client(KafkaProducer, self.settings, options)
        try:
            producer.init_transactions()
        except KafkaError as error:
            _discard(producer)
            raise _translated(error, "Starting the transactional producer failed", self.name, self.settings) from error
        self._producer = producer

    @property
    def connections(self) -> Any:
        """The producer's, for questions; None without one."""
        return None if self._producer is None else self._producer._sender._client._manager

    def discard(self) -> None:
        """Drop the producer without another word to the broker."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            _discard(producer)

    def begin(self, group: Any) -> "KafkaTransaction":
        """A new transaction whose offsets are committed as `group`, the member's own metadata."""
        if self._producer is None:
            raise TransactionFailed("The last transaction failed; recover first.")
        return KafkaTransaction(self, self._producer, group)


class KafkaTransaction:
    """One transaction; see `twinstream.log.contract.Transaction` for the order of calls."""

    def __init__(self, writer: TransactionalWriter, producer: Any, group: Any) -> None:
        self._writer = writer
        self._producer = producer
        self._group = group
        self._buffers: dict[tuple[str, int], BatchBuffer] = {}
        self._sent: list[ProducerBatch] = []
        self._offsets: list[Any] = []
        self._open = True
        with self._steps("The transaction could not begin"):
            producer.begin_transaction()

    def __enter__(self) -> "KafkaTransaction":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._open:
            return
        if kind is None:
            self.commit()
        else:
            self.abort()

    def send(self, topic: str, key: bytes | None, value: bytes, partition: int) -> None:
        """Add a record; errors show at `flush` or `commit`."""
        buffer = self._buffers.get((topic, partition))
        if buffer is not None and len(buffer.buffer) + len(value) > BATCH_BYTES:
            with self._steps("Sending failed"):
                self._hand_over(topic, partition, buffer)
                self._producer._sender.wakeup()
            buffer = None
        if buffer is None:
            buffer = self._buffers[topic, partition] = BatchBuffer(HEADER_BYTES)
        buffer.append(key, value)

    def commit_offsets(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        """Set off every record and the offsets; errors show at `flush` or `commit`."""
        positions = {
            ClientPartition(topic, partition): OffsetAndMetadata(committed.offset, committed.metadata, -1)
            for (topic, partition), committed in offsets.items()
        }
        with self._steps("The transaction could not be written"):
            self._set_off()
            if positions:
                manager = self._producer._transaction_manager
                self._offsets.append(manager.send_offsets_to_transaction(positions, self._group))
            self._producer._sender.wakeup()

    def flush(self) -> None:
        """Wait until the broker has the offsets and every record."""
        with self._steps("The transaction could not be written"):
            self._set_off()
            for result in self._offsets:
                _await_result(result)
            self._offsets.clear()
            self._await_batches()

    def commit(self) -> None:
        """Commit; on any error the outcome is unknown until `recover`."""
        self.flush()
        with self._steps("The transaction may not have been committed"):
            self._finish(self._producer._transaction_manager.begin_commit)

    def abort(self) -> None:
        """Take back everything sent. Never fails: what cannot be aborted now is aborted by the next producer."""
        self._buffers.clear()
        try:
            with self._steps("Aborting failed"):
                self._finish(self._producer._transaction_manager.begin_abort)
        except (LogError, NameTaken, NotAllowed):
            self._writer.discard()

    def _finish(self, begin: Any) -> None:
        self._open = False
        result = begin()
        self._producer._sender.wakeup()
        _await_result(result)

    @contextlib.contextmanager
    def _steps(self, failure: str) -> Iterator[None]:
        """Turn the client's errors into ours, after letting go of a producer that can no longer be trusted."""
        try:
            yield
        except (KafkaError, ValueError) as error:
            self._open = False
            cause = self._producer._transaction_manager.last_error  # of which the batches' own errors may say nothing
            cause = cause if isinstance(cause, AuthorizationError) else error
            self._writer.discard()
            raise _translated(cause, failure, self._writer.name, self._writer.settings) from error

    def _set_off(self) -> None:
        for (topic, partition), buffer in self._buffers.items():
            self._hand_over(topic, partition, buffer)
        self._buffers.clear()

    def _hand_over(self, topic: str, partition: int, buffer: BatchBuffer) -> None:
        """Queue a finished batch with the client's sender, which adds the producer's sequence and the checksum."""
        producer = self._producer
        partitions = producer._metadata.partitions_for_topic(topic)
        if partitions is None:
            partitions = producer._wait_on_metadata(topic, producer.config["max_block_ms"])
        if partition not in partitions:
            self._await_partition(topic, partition)
        target = ClientPartition(topic, partition)
        producer._transaction_manager.maybe_add_partition_to_transaction(target)
        batch = _finished_batch(target, buffer, producer.config["compression_attrs"])
        accumulator = producer._accumulator
        accumulator._incomplete.add(batch)
        with accumulator._tp_lock(target):
            accumulator._batches[target].append(batch)
        self._sent.append(batch)

    def _await_partition(self, topic: str, partition: int) -> None:
        """Ask about a topic until the brokers know the partition, which may just have been added."""
        metadata, deadline = self._producer._metadata, time.monotonic() + ANSWER_TIMEOUT_MS / 1000
        while partition not in metadata.partitions_for_topic(topic):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise KafkaError(f"Topic {topic} has no partition {partition}")
            updated = threading.Event()
            metadata.request_update().add_both(lambda _, updated=updated: updated.set())
            self._producer._sender.wakeup()
            updated.wait(left_s)

    def _await_batches(self) -> None:
        self._producer._sender.wakeup()
        deadline = time.monotonic() + OUTCOME_TIMEOUT_S
        for batch in self._sent:
            if not batch.produce_future.wait(max(0.0, deadline - time.monotonic())):
                raise KafkaTimeoutError(f"No answer for {batch.topic_partition} within {OUTCOME_TIMEOUT_S:g} s")
            _offset, _timestamp, error_of_record = batch.produce_future.value
            if error_of_record is not None:
                raise error_of_record(0)
        self._sent.clear()


def _finished_batch(target: ClientPartition, buffer: BatchBuffer, compression: int) -> ProducerBatch:
    """A client batch as if its records had been appended one by one, all at the present time."""
    now_ms = int(time.time() * 1000)
    records = MemoryRecordsBuilder(MAGIC, compression, BATCH_BYTES)
    builder = records._builder
    builder._buffer = buffer.buffer
    builder._num_records = records._next_offset = buffer.count
    builder._last_offset = buffer.count - 1
    builder._first_timestamp = builder._max_timestamp = now_ms
    batch = ProducerBatch(target, records)
    batch.max_record_size = buffer.largest
    # Consulted only when the broker finds the batch too large and the client means to split it: fail instead.
    batch._record_futures = [_Unsplittable(batch)]
    return batch


class _Unsplittable:
    """Stands where a record's future would: fails the batch when the client moves records to smaller ones."""

    def __init__(self, batch: ProducerBatch) -> None:
        self._batch = batch

    def rebind(self, _future: Any, _index: int) -> None:
        error = MessageSizeTooLargeError(
            f"a batch of {self._batch.record_count} records for {self._batch.topic_partition}"
        )
        self._batch.produce_future.success((-1, -1, lambda _index: error))


def _await_result(result: Any) -> None:
    if not result.wait(timeout_ms=OUTCOME_TIMEOUT_S * 1000):
        raise KafkaTimeoutError(f"No answer within {OUTCOME_TIMEOUT_S:g} s")


def _translated(error: Exception, what: str, name: str, where: Settings) -> LogError | NameTaken | NotAllowed:
    told = " ".join(str(error).split())
    if isinstance(error, AuthorizationError):
        return refused(
            error, where, "Write", name if isinstance(error, TransactionalIdAuthorizationFailedError) else ""
        )
    if isinstance(error, (MessageSizeTooLargeError, RecordListTooLargeError)):
        return RecordTooLarge(f"Kafka refuses a record for its size ({told}). Raise max.message.bytes of the topic.")
    if isinstance(error, FencedInstanceIdError):
        return name_taken(name)
    if isinstance(error, (ProducerFencedError, InvalidProducerEpochError)):
        return Fenced(f"{what}: this worker was fenced ({type(error).__name__}).")
    return TransactionFailed(f"{what}: {told}")


def _discard(producer: Any) -> None:
    """End the producer's thread without waiting for the broker."""
    sender = producer._sender
    sender.force_close()
    sender.join(1.0)
    producer._unregister_cleanup()
    producer._closed = True


HEADER_BYTES = MemoryRecordsBuilder(MAGIC, 0, BATCH_BYTES).size_in_bytes()

__all__ = ["KafkaTransaction", "KafkaUnavailable", "TransactionalWriter"]
