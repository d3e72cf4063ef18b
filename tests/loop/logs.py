"""Logs for the lab: seeded events of every topic, with all that can be wrong with them, and one hot card."""

import time

import msgspec

from producers.seeding.plan import Span
from producers.seeding.seeder import SHARES, Seeded, SeedPlan, seed_messages
from tests.loop.outputs import SETTINGS

SPAN_MS = 600_000
"""Event time that a log covers: more than twice the time after which an idle entity is swept (80 s)."""


def mixed_messages(count: int = 3_000, seed: int = 7, end_ms: int | None = None) -> list[Seeded]:
    """Seeded events of all topics that end now, with disorder and every kind of bad record, and one hot card.

    The hot card has a sixth of the transactions, so that its state is of several chunks that come and go.
    """
    end_ms = end_ms or time.time_ns() // 1_000_000
    plan = SeedPlan(
        seed=seed,
        count=count,
        spans={topic: Span(end_ms - SPAN_MS, end_ms) for topic in SHARES},
        ends_now=True,
        max_record_bytes=SETTINGS["max_record_bytes"],
        lateness_ms=SETTINGS["allowed_lateness_seconds"] * 1_000,
    )
    messages = []
    for number, seeded in enumerate(seed_messages(plan)):
        if seeded.bad is not None and seeded.bad.kind == "ten_megabytes":
            continue
        messages.append(seeded)
        if number % 5 == 0 and seeded.bad is None and seeded.topic == "transactions":
            messages.append(_of_the_hot_card(seeded))
    return messages


def _of_the_hot_card(seeded: Seeded) -> Seeded:
    record = msgspec.json.decode(seeded.message.value or b"")
    record |= {"card_id": "card_hot", "transaction_id": record["transaction_id"] + "_hot"}
    return seeded._replace(message=seeded.message._replace(key="card_hot", value=msgspec.json.encode(record)))
