"""`accounts`: account activity into Kafka without questions."""

import time
from typing import Any

from producers.account import TransactionKafkaProducer
from producers.commands.stream import summarise
from producers.console import progress_bar
from twinstream.settings import Settings


def accounts(
    settings: Settings,
    *,
    topic: str = "transactions",
    rate: float = 10.0,
    duration: float | None = None,
    count: int | None = None,
    fraud_probability: float = 0.15,
    locale: str = "pt_BR",
    seed: int | None = None,
    json_target: str | None = None,
) -> dict[str, Any]:
    """Stream account transactions until the duration or count is reached, or Ctrl-C; show and return the metrics."""
    with TransactionKafkaProducer(settings, topic, locale=locale, seed=seed) as producer:
        started = time.monotonic()
        with progress_bar("Accounts", count) as advance:
            producer.stream_transactions(
                rate,
                duration,
                count,
                fraud_probability=fraud_probability,
                on_sent=lambda sent: advance(sent, sent / max(1e-9, time.monotonic() - started)),
            )
        metrics, seconds = producer.get_metrics(), time.monotonic() - started
    return summarise(metrics, seconds, json_target)
