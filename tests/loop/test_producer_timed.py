"""A source topic with Kafka's default timestamps, on a real Kafka: a clock that is 50 minutes fast."""

import time
from collections.abc import Iterator
from signal import SIGKILL

import msgspec
import pytest
from kafka import KafkaProducer

from tests.loop.injected import Injection
from tests.loop.lab import Lab, Run
from tests.loop.outputs import assert_same
from tests.reference import BY_TOPIC, REGISTRY
from tests.topics import create_anew
from twinstream.audit.rederive import Sample, rederive_run
from twinstream.log.topics import Topic
from twinstream.loop.commit import Step
from twinstream.settings import Settings

FIFTY_MINUTES_MS = 3_000_000


@pytest.fixture(scope="module")
def log(lab: Lab) -> Iterator[None]:
    """Good payments, one a second; among them one of a fast clock, and later nine of it in a row."""
    as_sent = {"message.timestamp.type": "CreateTime"}
    create_anew(lab.broker.servers, [Topic(topic, 2, as_sent) for topic in BY_TOPIC])
    start_ms = time.time_ns() // 1_000_000 - 120_000
    producer = KafkaProducer(bootstrap_servers=lab.broker.servers)
    for number in range(90):
        fast = number == 20 or 40 <= number < 49
        payment = {
            "transaction_id": f"t{number}",
            "event_time": start_ms + number * 1_000 + fast * FIFTY_MINUTES_MS,
            "card_id": f"card-{'fast' if fast else number % 7}",
            "amount": 5,
            "currency": "EUR",
        }
        value, key = msgspec.json.encode(payment), str(payment["card_id"]).encode()
        producer.send("transactions", value, key, partition=0, timestamp_ms=payment["event_time"])
    producer.flush()
    producer.close()
    yield
    lab.create_sources()


def test_a_fast_clock_makes_nobody_late_also_when_the_worker_is_killed_in_between(
    lab: Lab, log: None, run: Run
) -> None:
    for step in (Step.TRANSACTION_COMMITTED, Step.FEATURES_WRITTEN):
        run.start(inject=Injection(SIGKILL, step, times=2), max_poll_records=13).until_killed()
    run.finish(max_poll_records=7)
    outputs = run.outputs()
    assert len(outputs["features.transaction"]) == 90
    assert outputs["transactions.dlq"] == []
    assert_same(outputs, lab.replayed())


def test_what_redis_has_lost_is_rebuilt_as_it_was(lab: Lab, log: None, run: Run) -> None:
    run.finish()
    before = run.outputs()
    run.redis.flushall()
    run.finish()
    assert_same(run.outputs(), before)


def test_a_run_over_it_rederives_without_a_difference(lab: Lab, log: None, run: Run) -> None:
    run.finish()
    settings = Settings(
        kafka_servers=lab.broker.servers,
        consumer_group=run.group,
        output_prefix=f"{run.group}.",
        window_size_minutes=1,
        allowed_lateness_seconds=10,
        max_record_bytes=16_384,
    )
    results = {result.name: result for result in rederive_run(settings, REGISTRY, Sample(), "transaction")}
    assert all(result.same for result in results.values())
    assert results["features.transaction"].compared == 90
