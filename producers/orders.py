"""E-commerce orders into Kafka at the pace of the day."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from producers.base import BaseProducer
from producers.clock import Clock, SystemClock
from producers.pacing import hour_multiplier
from producers.position import first_free_ms
from producers.profiles.orders import Orders
from producers.records import Record
from producers.schema import load_schema
from producers.sinks.base import Sink
from twinstream.settings import Settings


class TransactionProducer(BaseProducer):
    """Orders (`schema/order_schema.yaml`), checked before they are sent, keyed by `user_id`."""

    def __init__(
        self,
        bootstrap_servers: str | Settings | None = None,
        topic: str = "orders",
        generation_rate: float = 1000.0,
        producer_config: Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        sink: Sink | None = None,
        clock: Clock | None = None,
        zone: str = "UTC",
        name: str | None = None,
    ) -> None:
        """Connect; `generation_rate` is in orders per hour, other arguments as for `BaseProducer`.

        Order times continue from the newest one in the topic, should that be ahead of the clock.
        """
        clock = clock or SystemClock()
        super().__init__(
            bootstrap_servers, topic, generation_rate, producer_config, sink=sink, clock=clock, zone=zone, name=name
        )
        self._schema = load_schema("order")
        started_ms = clock.now_ms()
        self._orders = Orders(42 if seed is None else seed, run=started_ms if seed is None else "")
        self._floor_ms = 0 if self.where is None else first_free_ms(self.where, topic, "orders", started_ms)

    def generate_message(self) -> Record:
        """An order placed now."""
        return self._orders.record(max(self._floor_ms, self.clock.now_ms()))

    def get_message_key(self, message: Record) -> str:
        """The buyer."""
        return str(message["user_id"])

    def validate_message(self, message: Record) -> list[str]:
        """Faults against the schema."""
        return self._schema.faults(message)

    def rate_multiplier(self, moment: datetime) -> float:
        """Lunch hours twice the average, working hours half more, nights quiet, weekends half more."""
        return hour_multiplier(moment)
