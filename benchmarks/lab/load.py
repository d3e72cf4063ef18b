"""The load: card transactions with all 24 fields, one event every three milliseconds of event time.

With 10 000 cards that is 10 events per card in a window of five minutes. In the hot load a tenth of the events belong
to one card, which so has 10 000 events in its window; the first 100 000 events are there to fill it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import msgspec
from kafka import KafkaProducer

from producers.records import iso_utc

HOT_CARD = "card_hot"

_encode = msgspec.json.Encoder().encode
_MERCHANTS = [
    (f"m_{number:05d}", f"Merchant {number}", mcc)
    for number, mcc in enumerate([5411, 5812, 5541, 5732, 4111, 5912, 5999, 7011] * 60)
]
_CITIES = [
    ("FR", "Paris", "EUR", 48.8566, 2.3522),
    ("DE", "Berlin", "EUR", 52.52, 13.405),
    ("GB", "London", "GBP", 51.5074, -0.1278),
    ("US", "New York", "USD", 40.7128, -74.006),
    ("BR", "São Paulo", "BRL", -23.5505, -46.6333),
    ("JP", "Tokyo", "JPY", 35.6762, 139.6503),
]


@dataclass(frozen=True, slots=True)
class Load:
    """A series of transactions.

    Attributes:
        name: of the load, and of its topic.
        events: how many.
        cards: over how many cards, evenly; with 0 every event is of a card of its own.
        hot_share: the part of the events that belong to one card more.
        spacing_ms: event time between two events.
        disorder_ms: how much older than its turn an event may be.
    """

    name: str
    events: int
    cards: int = 10_000
    hot_share: float = 0.0
    spacing_ms: float = 3.0
    disorder_ms: int = 0


class Transactions:
    """Makes transactions of cards that live somewhere and shop nearby. The same seed makes the same ones."""

    def __init__(self, seed: int = 42) -> None:
        self._random = Random(seed)
        self._made = 0

    def value(self, card: str, time_ms: int) -> bytes:
        """The next transaction, of this card at this time (epoch ms), as JSON."""
        random, self._made = self._random.random, self._made + 1
        home = hash_of(card)
        country, city, currency, latitude, longitude = _CITIES[home % len(_CITIES)]
        merchant_id, merchant_name, mcc = _MERCHANTS[int(random() * len(_MERCHANTS))]
        return _encode(
            {
                "transaction_id": f"txn_{self._made:012d}",
                "event_time": iso_utc(time_ms),
                "card_id": card,
                "card_brand": "visa",
                "card_last4": f"{home % 10_000:04d}",
                "account_id": f"acc_{home % 100_000_000:08d}",
                "user_id": f"user_{home % 1_000_000_000:09d}",
                "account_age_days": home % 4000,
                "amount": round(3 + random() * 200, 2),
                "currency": currency,
                "merchant_id": merchant_id,
                "merchant_name": merchant_name,
                "mcc_code": mcc,
                "channel": "pos",
                "card_present": True,
                "payment_method": "chip",
                "country": country,
                "city": city,
                "latitude": round(latitude + random() * 0.1, 6),
                "longitude": round(longitude + random() * 0.1, 6),
                "device_id": f"device_{home % 100_000:05d}",
                "ip_address": f"81.2.{home % 200}.{home % 250}",
                "auth_result": "declined" if random() < 0.03 else "approved",
                "label_fraud": False,
            }
        )


def hash_of(card: str) -> int:
    """A number that belongs to a card."""
    return int.from_bytes(card.encode()[-6:], "big") * 2_654_435_761 % 2**32


def messages(load: Load, until_ms: int) -> Iterator[tuple[str, bytes]]:
    """Keys and values of a load whose last event happens at `until_ms`."""
    make, random = Transactions(), Random(load.name)
    first_ms = until_ms - load.events * load.spacing_ms
    for number in range(load.events):
        hot = random.random() < load.hot_share
        which = int(random.random() * load.cards) if load.cards else number
        card = HOT_CARD if hot else f"card_{which:07d}"
        late_ms = int(random.random() * load.disorder_ms)
        yield card, make.value(card, int(first_ms + number * load.spacing_ms) - late_ms)


def seed(servers: str, topic: str, load: Load, until_ms: int) -> None:
    """Write a load into a topic."""
    producer = KafkaProducer(
        bootstrap_servers=servers, linger_ms=20, batch_size=512 * 1024, acks=1, allow_auto_create_topics=False
    )
    for key, value in messages(load, until_ms):
        producer.send(topic, value, key=key.encode())
    producer.flush()
    producer.close()
