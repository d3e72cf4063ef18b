"""Ten seconds of orders into Kafka, and what the monitor says of it.

python examples/transaction_producer_example.py [SECONDS] [ORDERS_PER_HOUR]
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from producers.monitoring import monitor
from producers.orders import TransactionProducer
from twinstream.errors import UserError
from twinstream.settings import load_settings


def main(seconds: float = 10.0, per_hour: float = 36_000.0) -> None:
    """Produce, then show the metrics."""
    producer = TransactionProducer(load_settings().kafka_servers, "orders", generation_rate=per_hour)
    try:
        producer.run_continuous(duration_seconds=seconds)
        print(json.dumps(producer.get_metrics(), indent=2))
        print(json.dumps(monitor.get_aggregate_metrics(), indent=2))
    finally:
        producer.close()


if __name__ == "__main__":
    try:
        main(*map(float, sys.argv[1:3]))
    except UserError as error:
        sys.exit(f"error: {error}")
