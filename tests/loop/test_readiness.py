"""What a worker says of its readiness, and how one to which nothing comes looks after Kafka and Redis all the same."""

import time
from typing import Any

import pytest

from twinstream.log.contract import KafkaUnavailable
from twinstream.loop import loop
from twinstream.loop.commit import Step
from twinstream.online.store_errors import StoreUnavailable
from twinstream.testing import START_MS, Driver

PAYMENT = {"transaction_id": "t1", "card_id": "card-1", "amount": 10, "currency": "EUR", "event_time": START_MS}


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A driver whose worker has processed one payment and looks at every quiet moment."""
    monkeypatch.setattr(loop, "QUIET_S", 0.0)
    monkeypatch.setattr(loop, "FIRST_BACK_OFF_S", 0.0)
    driver = Driver()
    driver.send("transactions", PAYMENT)
    driver.run()
    return driver


def cycles(driver: Driver, count: int) -> None:
    """Let the worker go on for some cycles or recoveries."""
    stops = iter([False] * count)
    driver.loop.run(lambda: next(stops, True))


def failing_once(error: Exception, then: Any) -> Any:
    """A function that raises the first time."""
    failures = [error]

    def function(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return then(*arguments)

    return function


def test_a_redis_that_lost_everything_is_filled_again(driver: Driver) -> None:
    before = driver.outputs()
    driver.database.clear()
    cycles(driver, 12)
    assert driver.outputs() == before
    assert driver.loop.totals.recoveries == 1


@pytest.mark.parametrize(
    ("owner", "method", "error"),
    [("log", "ping", KafkaUnavailable("Kafka is away")), ("_store", "load", StoreUnavailable("Redis is away"))],
)
def test_a_worker_is_not_ready_from_when_something_is_away_until_it_is_back(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, owner: str, method: str, error: Exception
) -> None:
    readiness = []
    where = getattr(driver.loop, owner)
    monkeypatch.setattr(where, method, failing_once(error, getattr(where, method)))
    start = driver.loop._start_partitions

    def starting() -> None:
        readiness.append(driver.loop.ready())
        start()

    monkeypatch.setattr(driver.loop, "_start_partitions", starting)
    cycles(driver, 12)
    assert readiness == [(False, f"recovering: {error}")]
    assert driver.loop.ready()[0]


def test_a_partition_that_is_being_taken_away_cannot_stop_a_recovery(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver.loop.log, "ping", failing_once(KafkaUnavailable("Kafka is away"), lambda: None))
    monkeypatch.setattr(driver.loop.log, "pause", failing_once(KafkaUnavailable("no such partition"), lambda _: None))
    cycles(driver, 12)
    assert driver.loop.ready()[0]


def test_a_worker_that_waits_long_in_a_batch_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SLOW_S", 0.01)
    readiness = []

    def reached(step: Step) -> None:
        if step is Step.OFFSETS_SENT:
            time.sleep(0.02)
            readiness.append(driver.loop.ready())

    driver = Driver(reached=reached)
    driver.send("transactions", PAYMENT)
    driver.run()
    assert readiness == [(False, "waiting for Kafka or Redis for 0 s")]
