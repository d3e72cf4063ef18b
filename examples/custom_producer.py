"""A producer of one's own: say what a message is and what its key is; the rest is inherited.

python examples/custom_producer.py [MESSAGES]
"""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from producers.base import BaseProducer
from producers.records import Record, iso_utc
from twinstream.errors import UserError
from twinstream.settings import load_settings


class RefundProducer(BaseProducer):
    """Refunds of orders, keyed by user."""

    def generate_message(self) -> Record:
        """A refund of a random user's order."""
        return {
            "refund_id": f"ref_{random.getrandbits(48):012x}",
            "user_id": f"user_{random.randrange(400):09d}",
            "amount": round(random.lognormvariate(3, 1), 2),
            "timestamp": iso_utc(self.clock.now_ms()),
        }

    def get_message_key(self, message: Record) -> str:
        """The user."""
        return str(message["user_id"])

    def validate_message(self, message: Record) -> list[str]:
        """A refund is of something."""
        return [] if message["amount"] > 0 else ["amount: not above 0"]


def main(messages: int = 100) -> None:
    """Send some as fast as possible."""
    with RefundProducer(load_settings().kafka_servers, "refunds", generation_rate=0) as producer:
        producer.run_continuous(max_messages=messages)
        print(producer.get_metrics())


if __name__ == "__main__":
    try:
        main(*map(int, sys.argv[1:2]))
    except UserError as error:
        sys.exit(f"error: {error}")
