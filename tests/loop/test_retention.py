"""Retention passed what a worker had read: it is said, a person decides, and the decision holds."""

from typing import Any

import pytest
from prometheus_client import generate_latest

from tests.loop.outputs import SETTINGS
from twinstream.log.contract import TopicPartition
from twinstream.log.retention import IfLogLost, RecordsDeleted
from twinstream.testing import START_MS, Driver

SOURCE = TopicPartition("transactions", 0)
GONE = "5 records of transactions-0 (offsets 10 to 14)"


def payment(number: int) -> dict[str, Any]:
    return {
        "transaction_id": f"t{number}",
        "card_id": "c",
        "amount": 1,
        "currency": "EUR",
        "event_time": START_MS + 1_000 * number,
    }


@pytest.fixture
def overtaken() -> Driver:
    """A log of 20 payments, of which ten were processed, and then the first 15 deleted."""
    driver = Driver(**SETTINGS)
    for number in range(20):
        driver.now_ms += 1_000
        driver.send("transactions", payment(number))
        if number == 9:
            driver.run()
    driver.broker.delete_before(SOURCE, 15)
    return driver


def test_deleted_records_are_refused_before_anything_is_done(overtaken: Driver) -> None:
    before = overtaken.outputs()
    overtaken.restart()
    with pytest.raises(RecordsDeleted) as refusal:
        overtaken.run()
    assert GONE in str(refusal.value)
    assert overtaken.outputs() == before


def test_a_worker_that_goes_on_without_them_says_so_wherever_one_looks(overtaken: Driver) -> None:
    overtaken.restart(IfLogLost.CONTINUE)
    overtaken.run()
    assert [record.offset for record in overtaken.feature_records("transaction")] == [*range(10), *range(15, 20)]
    assert overtaken.features("transaction", "c")["txn_count"] == "15", "the windows are as they were"
    ready, reason = overtaken.loop.ready()
    assert ready
    assert f"degraded: Kafka deleted {GONE}" in reason
    scraped = generate_latest(overtaken.loop.totals.metrics.registry).decode()
    assert 'twinstream_records_deleted_unprocessed_total{partition="0",topic="transactions"} 5.0' in scraped


def test_a_worker_may_begin_anew_with_what_there_is(overtaken: Driver) -> None:
    overtaken.restart(IfLogLost.REBUILD)
    overtaken.run()
    assert [record.offset for record in overtaken.feature_records("transaction")] == [*range(10), *range(15, 20)]
    assert overtaken.features("transaction", "c")["txn_count"] == "5"


@pytest.mark.parametrize("decision", [IfLogLost.CONTINUE, IfLogLost.REBUILD])
def test_the_decision_holds_for_the_next_start_though_nothing_came(overtaken: Driver, decision: IfLogLost) -> None:
    overtaken.broker.delete_before(SOURCE, 20)
    overtaken.restart(decision)
    overtaken.run()
    overtaken.restart()
    overtaken.run()
    overtaken.now_ms += 1_000
    overtaken.send("transactions", payment(20))
    overtaken.run()
    assert [record.offset for record in overtaken.feature_records("transaction")] == [*range(10), 20]


def test_a_running_worker_that_retention_overtakes_stops_and_says_so() -> None:
    driver = Driver(**SETTINGS)
    for number in range(10):
        driver.send("transactions", payment(number))
    driver.run()
    for number in range(10, 20):
        driver.now_ms += 1_000
        driver.send("transactions", payment(number))
    driver.broker.delete_before(SOURCE, 15)
    with pytest.raises(RecordsDeleted):
        driver.run()
