"""Account activity into Kafka: batches, streams, and one account's transactions over a while."""

from collections.abc import Callable, Iterator
from math import inf
from random import Random
from typing import Any

import structlog

from producers.clock import Clock, SystemClock
from producers.generator import FakeTransactionGenerator
from producers.monitoring import ProducerMetrics, monitor
from producers.pacing import Pacer
from producers.position import first_free_ms
from producers.records import Message, Transaction, encode
from producers.schema import load_schema
from producers.sinks.base import Sink
from producers.sinks.kafka import KafkaSink, ensure_topic, open_producer
from twinstream.errors import UserError
from twinstream.settings import Settings, load_settings

OnSent = Callable[[int], None]

_VELOCITY_BURST = 5
"""Transactions of a velocity fraud: at once, at the end of an account's activity."""


class TransactionKafkaProducer:
    """Sends account transactions (24 fields) keyed by `card_id`. Use as a context manager, or call `close`."""

    def __init__(
        self,
        bootstrap_servers: str | Settings | None = None,
        topic: str = "transactions",
        acks: str | int = "all",
        retries: int = 3,
        max_in_flight_requests_per_connection: int = 1,
        *,
        locale: str = "pt_BR",
        seed: int | None = None,
        sink: Sink | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Connect, by default to `KAFKA_SERVERS`; without a seed every run differs.

        Event times continue from the newest in the topic.
        """
        self.topic = topic
        self.clock = clock or SystemClock()
        started_ms = self.clock.now_ms()
        self._floor_ms = 0
        if sink is None:
            options = {
                "acks": acks,
                "retries": retries,
                "max_in_flight_requests_per_connection": max_in_flight_requests_per_connection,
                "enable_idempotence": acks == "all" and retries > 0,
            }
            where = bootstrap_servers or load_settings()
            producer = open_producer(where, options)
            ensure_topic(where, topic)
            sink = KafkaSink(producer, topic)
            self._floor_ms = first_free_ms(where, topic, "transactions", started_ms)
        self.sink = sink
        run = started_ms if seed is None else ""
        self.transaction_generator = FakeTransactionGenerator(
            locale, 42 if seed is None else seed, clock=clock, run=run
        )
        self._random = Random(f"{seed}/{run}/activity")
        self._schema = load_schema("transaction")
        self._log = structlog.get_logger(__name__)
        self._invalid = 0
        self.metrics: ProducerMetrics = monitor.register_producer(f"{type(self).__name__}-{started_ms}-{id(self)}")

    def send_transaction(self, transaction: Transaction) -> bool:
        """Send one transaction and wait for the answer; False if it was refused or not delivered."""
        failed_before = self.sink.delivery.failed
        if not self._hand_over(transaction):
            return False
        self.sink.flush()
        return self.sink.delivery.failed == failed_before

    def send_batch(self, count: int, fraud_probability: float = 0.15, *, on_sent: OnSent | None = None) -> int:
        """Send `count` transactions at once; return how many were acknowledged."""
        return self._send_all((self._next(fraud_probability) for _ in range(count)), on_sent)

    def stream_transactions(
        self,
        transactions_per_second: float = 10,
        duration_seconds: float | None = None,
        max_transactions: int | None = None,
        *,
        fraud_probability: float = 0.15,
        tps: float | None = None,
        duration: float | None = None,
        count: int | None = None,
        on_sent: OnSent | None = None,
    ) -> int:
        """Send at a steady rate until the time is over or the number is reached; return how many were acknowledged.

        `tps`, `duration` and `count` are short for the first three.
        """
        seconds = duration_seconds if duration is None else duration
        deadline = inf if seconds is None else self.clock.monotonic() + seconds
        limit = max_transactions if count is None else count
        pacer = Pacer(self.clock, transactions_per_second if tps is None else tps)
        pacer.warn_if_hardly_any(deadline)

        def paced() -> Iterator[Transaction]:
            made = 0
            while (limit is None or made < limit) and pacer.wait(deadline):
                made += 1
                yield self._next(fraud_probability)

        return self._send_all(paced(), on_sent)

    def stream_account_activity(
        self,
        account_id: str,
        transaction_count: int = 10,
        time_window_minutes: float = 5.0,
        include_velocity_fraud: bool = False,
        *,
        count: int | None = None,
        speed: float = 1.0,
        on_sent: OnSent | None = None,
    ) -> int:
        """Send one account's transactions, spread over the window in real time; return how many were acknowledged.

        Args:
            account_id: `ACC-` and eight digits.
            transaction_count: how many (`count` for short).
            time_window_minutes: over how long.
            include_velocity_fraud: whether the last ones come at once, from a thief.
            speed: 2 takes half the time. Event times are the moments of sending, so that nothing is late.
        """
        if speed <= 0:
            raise UserError(f"The speed is {speed}; expected a number above 0.")
        total = transaction_count if count is None else count
        burst = min(_VELOCITY_BURST, total) if include_velocity_fraud else 0
        seconds = time_window_minutes * 60 / speed
        moments = sorted(self._random.uniform(0, seconds) for _ in range(total - burst))
        moments += [seconds + number * 0.2 / speed for number in range(burst)]
        started = self.clock.monotonic()

        def activity() -> Iterator[Transaction]:
            for number, moment in enumerate(moments):
                self.clock.sleep(max(0.0, started + moment - self.clock.monotonic()))
                yield self.transaction_generator.generate_transaction(
                    number >= total - burst, account_id=account_id, not_before_ms=self._floor_ms
                )

        return self._send_all(activity(), on_sent)

    def get_metrics(self) -> dict[str, Any]:
        """`messages_sent`, `messages_failed`, `bytes_sent` and `last_send_time` (epoch seconds)."""
        self._observe(None)
        return self.metrics.as_dict()

    def close(self) -> None:
        """Flush and disconnect; safe to call twice."""
        self.sink.close()
        self._observe(None)

    def __enter__(self) -> "TransactionKafkaProducer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self, fraud_probability: float) -> Transaction:
        return self.transaction_generator.generate_transaction(
            fraud_probability=fraud_probability, not_before_ms=self._floor_ms
        )

    def _hand_over(self, transaction: Transaction) -> bool:
        """Check a transaction and hand it to the sink, which may still hold it; False if it was refused."""
        faults = self._schema.faults(transaction)
        if faults:
            self._invalid += 1
            self._log.warning("Invalid transaction not sent", faults=faults)
            return False
        self.sink.send(Message(transaction["card_id"], encode(transaction)))
        self._observe(self.clock.now_ms() / 1000)
        return True

    def _send_all(self, transactions: Iterator[Transaction], on_sent: OnSent | None) -> int:
        """Send until there are no more or Ctrl-C; flush; return how many were acknowledged."""
        handed_over = 0
        failed_before = self.sink.delivery.failed
        try:
            for transaction in transactions:
                handed_over += self._hand_over(transaction)
                if on_sent is not None:
                    on_sent(handed_over)
        except KeyboardInterrupt:
            self._log.info("Interrupted; flushing", topic=self.topic)
        finally:
            self.sink.flush()
            self._observe(None)
        return handed_over - (self.sink.delivery.failed - failed_before)

    def _observe(self, now_seconds: float | None) -> None:
        self.metrics.observe(self.sink.delivery, now_seconds)
        self.metrics.messages_failed += self._invalid


def send_batch_to_kafka(
    count: int,
    fraud_probability: float = 0.15,
    bootstrap_servers: str | Settings | None = None,
    topic: str = "transactions",
) -> int:
    """Send `count` transactions to Kafka at once; return how many were acknowledged."""
    with TransactionKafkaProducer(bootstrap_servers, topic) as producer:
        return producer.send_batch(count, fraud_probability)


def stream_to_kafka(
    transactions_per_second: float = 10,
    duration_seconds: float | None = None,
    fraud_probability: float = 0.15,
    bootstrap_servers: str | Settings | None = None,
    topic: str = "transactions",
    *,
    tps: float | None = None,
    duration: float | None = None,
    count: int | None = None,
) -> int:
    """Send transactions to Kafka at a steady rate, until Ctrl-C without a duration; return how many were acknowledged.

    `tps` and `duration` are short for the first two; `count` ends it after so many.
    """
    with TransactionKafkaProducer(bootstrap_servers, topic) as producer:
        return producer.stream_transactions(
            transactions_per_second,
            duration_seconds,
            fraud_probability=fraud_probability,
            tps=tps,
            duration=duration,
            count=count,
        )
