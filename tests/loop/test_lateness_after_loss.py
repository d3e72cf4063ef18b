"""A Redis that lost everything, on a log whose early records have the say on what is late."""

import time

import msgspec
import pytest

from producers.records import Message
from producers.seeding.seeder import Seeded
from tests.loop.lab import Lab, Run
from tests.loop.logs import mixed_messages
from tests.loop.outputs import assert_same

SKEW = {"max_future_skew_seconds": 300}
"""So that events may be far ahead of the broker's clock."""

SLOWLY = {"max_poll_records": 20} | SKEW
"""So that the log outlasts several losses."""


@pytest.fixture
def trap(lab: Lab) -> None:
    """A log in which an early record of every partition makes most of what follows late.

    Its events are ahead of the broker's clock by up to 280 s, which is less than the allowed skew.
    """
    end_ms = time.time_ns() // 1_000_000 + 280_000
    early = [
        {"card_id": f"early-{number}", "transaction_id": f"early-{number}", "amount": 1, "currency": "EUR"}
        | {"event_time": end_ms - 150_000}
        for number in range(20)
    ]
    lab.create_sources()
    lab.send(Seeded("transactions", Message(each["card_id"], msgspec.json.encode(each)), None) for each in early)
    lab.send(mixed_messages(end_ms=end_ms))


@pytest.mark.usefixtures("trap")
def test_a_rebuild_repeats_every_lateness_decision(lab: Lab, run: Run) -> None:
    expected = lab.replayed(**SKEW)
    late = [value for _, _, value in expected["transactions.dlq"] if b'"reason":"late"' in value]
    assert len(late) > len(expected["features.transaction"])
    worker = run.start(**SLOWLY)
    for _ in range(3):
        run.until_under_way()
        worker.kill()
        run.redis.flushall()
        worker = run.start(**SLOWLY)
    run.until_caught_up()
    assert worker.terminate() == 0
    assert_same(run.outputs(), expected)
