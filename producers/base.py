"""What every paced producer shares: subclass `BaseProducer` and say what a message is and what its key is."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime
from math import inf
from typing import Any

import structlog

from producers.clock import Clock, SystemClock
from producers.monitoring import ProducerMetrics, monitor
from producers.pacing import Pacer, time_zone
from producers.records import Message, Record, encode
from producers.sinks.base import Sink
from producers.sinks.kafka import KafkaSink, ensure_topic, open_producer
from twinstream.settings import Settings, load_settings

_SECONDS_PER_HOUR = 3600.0
_numbers = itertools.count(1)

OnSent = Callable[[int], None]
"""Told the number of messages sent so far, after each one."""


class BaseProducer(ABC):
    """Makes messages at a rate and sends them, to Kafka unless another sink is given.

    A subclass defines `generate_message` and `get_message_key`; it may refuse messages in `validate_message` and make
    some hours busier than others in `rate_multiplier`. Use it as a context manager, or call `close`.
    """

    def __init__(
        self,
        bootstrap_servers: str | Settings | None = None,
        topic: str = "events",
        generation_rate: float = 1000.0,
        producer_config: Mapping[str, Any] | None = None,
        *,
        sink: Sink | None = None,
        clock: Clock | None = None,
        zone: str = "UTC",
        name: str | None = None,
    ) -> None:
        """Connect.

        Args:
            bootstrap_servers: Kafka's brokers, or the settings that name them; by default `KAFKA_SERVERS`.
            topic: where to; created if missing.
            generation_rate: messages per hour, before the time of day is taken into account; 0 is no limit.
            producer_config: kafka-python options; unknown ones are ignored with a warning.
            sink: another place to send to; then there is no Kafka.
            clock: what time it is, and how to wait.
            zone: time zone of `rate_multiplier`.
            name: for the monitor; by default the class's name and a number.
        """
        self.topic = topic
        self.generation_rate = generation_rate
        self.clock = clock or SystemClock()
        self.log = structlog.get_logger(type(self).__module__)
        self._zone = time_zone(zone)
        self.where: str | Settings | None = None
        if sink is None:
            self.where = bootstrap_servers or load_settings()
            producer = open_producer(self.where, producer_config)
            ensure_topic(self.where, topic)
            sink = KafkaSink(producer, topic)
        self.sink = sink
        self._invalid = 0
        self.metrics: ProducerMetrics = monitor.register_producer(name or f"{type(self).__name__}-{next(_numbers)}")

    @abstractmethod
    def generate_message(self) -> Record:
        """The next message."""

    @abstractmethod
    def get_message_key(self, message: Record) -> str:
        """The message's key: what decides its partition."""

    def validate_message(self, message: Record) -> list[str]:
        """What is wrong with a message; such a message is counted as failed and not sent."""
        return []

    def rate_multiplier(self, moment: datetime) -> float:
        """How busy a local time is, against the average; 1 by default."""
        return 1.0

    def send_message(self, message: Record) -> bool:
        """Check a message and hand it to the sink; False if it was refused."""
        faults = self.validate_message(message)
        if faults:
            self._invalid += 1
            self.log.warning("Invalid message not sent", topic=self.topic, faults=faults)
            self._observe(None)
            return False
        self.sink.send(Message(self.get_message_key(message), encode(message)))
        self._observe(self.clock.now_ms() / 1000)
        return True

    def run_continuous(
        self, duration_seconds: float | None = None, *, max_messages: int | None = None, on_sent: OnSent | None = None
    ) -> int:
        """Send at the rate until the time is over, Ctrl-C, or `max_messages`; return how many were sent.

        Everything is flushed before it returns, also after Ctrl-C.
        """
        deadline = inf if duration_seconds is None else self.clock.monotonic() + duration_seconds
        pacer = Pacer(
            self.clock, self.generation_rate / _SECONDS_PER_HOUR, multiplier=self.rate_multiplier, zone=self._zone
        )
        pacer.warn_if_hardly_any(deadline)
        sent = 0
        try:
            while (max_messages is None or sent < max_messages) and pacer.wait(deadline):
                sent += self.send_message(self.generate_message())
                if on_sent is not None:
                    on_sent(sent)
        except KeyboardInterrupt:
            self.log.info("Interrupted; flushing", topic=self.topic)
        finally:
            self.flush()
        return sent

    def flush(self) -> None:
        """Wait until everything sent is acknowledged or given up."""
        self.sink.flush()
        self._observe(None)

    def get_metrics(self) -> dict[str, Any]:
        """`messages_sent`, `messages_failed`, `bytes_sent` and `last_send_time` (epoch seconds)."""
        self._observe(None)
        return self.metrics.as_dict()

    def close(self) -> None:
        """Flush and disconnect; safe to call twice."""
        self.sink.close()
        self._observe(None)

    def __enter__(self) -> "BaseProducer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _observe(self, now_seconds: float | None) -> None:
        self.metrics.observe(self.sink.delivery, now_seconds)
        self.metrics.messages_failed += self._invalid
