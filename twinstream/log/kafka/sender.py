"""Sending a few records with headers in one transaction, for tools; the loop has `transactions` beside this module."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import AuthorizationError, KafkaError, ProducerFencedError

from twinstream.log.contract import Fenced, TopicPartition, TransactionFailed
from twinstream.log.kafka.client_options import ANSWER_TIMEOUT_MS, WRITER_OPTIONS, connection_options
from twinstream.log.kafka.connecting import build_client
from twinstream.log.kafka.rights import refused
from twinstream.settings import Settings


class Message(NamedTuple):
    """A record to send; without a partition, its key decides."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int | None = None


class Sender:
    """A transactional producer. Opening it fences any other of its id, and decides what that one left pending.

    Use it in a `with` block.
    """

    def __init__(self, settings: Settings, transactional_id: str) -> None:
        self._settings, self._name = settings, transactional_id
        options = connection_options(settings) | WRITER_OPTIONS | {"transactional_id": transactional_id}
        self._producer: Any = build_client(KafkaProducer, settings, options)
        with self._translated(), self._closed_on_failure():
            self._producer.init_transactions()

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.close(timeout=ANSWER_TIMEOUT_MS / 1000)

    def begin(self) -> None:
        """Start a transaction."""
        with self._translated():
            self._producer.begin_transaction()

    def send(self, messages: Sequence[Message]) -> list[tuple[TopicPartition, int]]:
        """Write messages into the transaction; returns where each one stands."""
        with self._translated():
            futures = [
                self._producer.send(each.topic, each.value, each.key, list(each.headers), each.partition)
                for each in messages
            ]
            self._producer.flush(WRITER_OPTIONS["delivery_timeout_ms"] / 1000)
            written = [future.get(0) for future in futures]
        return [(TopicPartition(each.topic, each.partition), each.offset) for each in written]

    def commit(self) -> None:
        """Make everything visible."""
        with self._translated():
            self._producer.commit_transaction()

    def abort(self) -> None:
        """Take everything back."""
        with self._translated():
            self._producer.abort_transaction()

    @contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._producer.close(timeout=0)
            raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ProducerFencedError as error:
            raise Fenced("Somebody else is doing the same at this moment.") from error
        except AuthorizationError as error:
            raise refused(error, self._settings, "Write", self._name) from error
        except KafkaError as error:
            told = " ".join(str(error).split())
            raise TransactionFailed(f"Kafka did not take the records: {type(error).__name__} {told}") from error
