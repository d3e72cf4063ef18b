"""`orders`: e-commerce orders into Kafka at the pace of the day."""

import time
from typing import Any

from producers.commands.stream import summarise
from producers.console import progress_bar
from producers.orders import TransactionProducer
from twinstream.settings import Settings


def orders(
    settings: Settings,
    *,
    topic: str = "orders",
    rate: float = 1000.0,
    duration: float | None = None,
    zone: str = "UTC",
    seed: int | None = None,
    json_target: str | None = None,
) -> dict[str, Any]:
    """Produce orders until the duration is over or Ctrl-C; show and return the metrics."""
    with TransactionProducer(settings, topic, rate, seed=seed, zone=zone) as producer:
        started = time.monotonic()
        with progress_bar("Orders", None) as advance:
            producer.run_continuous(
                duration, on_sent=lambda sent: advance(sent, sent / max(1e-9, time.monotonic() - started))
            )
        metrics, seconds = producer.get_metrics(), time.monotonic() - started
    return summarise(metrics, seconds, json_target)
