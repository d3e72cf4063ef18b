"""A Kafka topic as a sink, on kafka-python's producer."""

from collections import deque
from collections.abc import Mapping
from typing import Any

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaConfigurationError, KafkaError

from producers.interrupts import interrupts
from producers.records import Message
from producers.sinks.base import Delivery
from twinstream.errors import UserError
from twinstream.log.kafka.client_options import connection_options
from twinstream.log.kafka.connecting import build_client
from twinstream.log.topics import create_topics, source_topic
from twinstream.settings import Settings

CONNECT_TIMEOUT_MS = 2_000
MAX_REQUEST_BYTES = 17 * 1024 * 1024
"""A record of 16 MiB, the largest that the source topics take, and its framing."""

IN_FLIGHT_CHECK = 2_000
MAX_UNACKNOWLEDGED = 20_000
"""Messages handed over and not yet acknowledged; sending waits above it, so that memory stays bounded."""

DEFAULTS: dict[str, Any] = {
    "acks": "all",
    "linger_ms": 10,
    "batch_size": 128 * 1024,
    "compression_type": "snappy",
    "max_request_size": MAX_REQUEST_BYTES,
    "max_block_ms": 10_000,
    "delivery_timeout_ms": 30_000,
    "allow_auto_create_topics": False,
    "metrics_enabled": False,
}


def open_producer(where: Settings | str, options: Mapping[str, Any] | None = None) -> Any:
    """A connected KafkaProducer; `options` are kafka-python's and win over the defaults.

    An option that the installed client does not know is left out with a warning.

    Raises:
        UserError: no broker answers, or the client refuses an option's value.
    """
    chosen = DEFAULTS | connection_options(where) | {"bootstrap_timeout_ms": CONNECT_TIMEOUT_MS}
    for name, value in (options or {}).items():
        if name in KafkaProducer.DEFAULT_CONFIG:
            chosen[name] = value
        else:
            structlog.get_logger(__name__).warning("Option unknown to the Kafka client is ignored", option=name)
    try:
        return build_client(KafkaProducer, where, chosen)
    except (KafkaConfigurationError, ValueError, AssertionError) as error:
        raise UserError(f"The Kafka client refuses its options: {' '.join(str(error).split())}") from None


def ensure_topic(where: Settings | str, topic: str) -> None:
    """Create the topic, stamped by the broker, if it is missing."""
    create_topics(where, [source_topic(topic)])


class KafkaSink:
    """Sends to one topic; several sinks can share a producer, and the first `close` then ends it for all."""

    def __init__(self, producer: Any, topic: str) -> None:
        self.topic = topic
        self.producer = producer
        self._handed_over = 0
        self._failed = 0
        self._bytes = 0
        self._checkpoints: deque[Any] = deque()
        self._closed = False

    @property
    def delivery(self) -> Delivery:
        """The counts; messages still on their way count as sent until they fail."""
        return Delivery(self._handed_over - self._failed, self._failed, self._bytes)

    def send(self, message: Message) -> None:
        """Hand one message to the client; waits while too many are unacknowledged."""
        interrupts.hold()
        try:
            future = self._hand_over(message.key, message.value)
        finally:
            interrupts.release()
        if future is not None and self._handed_over % IN_FLIGHT_CHECK == 0:
            self._checkpoints.append(future)
            if len(self._checkpoints) * IN_FLIGHT_CHECK > MAX_UNACKNOWLEDGED:
                self._wait(self._checkpoints.popleft())

    def _hand_over(self, key: str | None, value: bytes | None) -> Any:
        """The client's future, or None if it refused the message."""
        key_bytes = None if key is None else key.encode()
        self._handed_over += 1
        self._bytes += len(key_bytes or b"") + len(value or b"")
        try:
            future = self.producer.send(self.topic, value=value, key=key_bytes)
        except KafkaError as error:
            self._count_failure(error)
            return None
        future.add_errback(self._count_failure)
        return future

    def flush(self) -> None:
        """Wait for every acknowledgement; what timed out counts as failed."""
        self._checkpoints.clear()
        self.producer.flush()

    def close(self) -> None:
        """Flush and close the producer."""
        if not self._closed:
            self._closed = True
            self.flush()
            self.producer.close()

    def _wait(self, future: Any) -> None:
        try:
            future.get()
        except KafkaError:
            """Counted by the error callback."""

    def _count_failure(self, error: BaseException) -> None:
        self._failed += 1
        if self._failed == 1:
            structlog.get_logger(__name__).error(
                "Delivery to Kafka failed", topic=self.topic, error=type(error).__name__, detail=str(error)
            )
