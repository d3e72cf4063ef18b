"""Somebody set the group's offsets with a tool of Kafka's: what was found is said, and what wins is exact."""

from typing import Any

import pytest

from tests.loop.outputs import SETTINGS
from twinstream.log.contract import Committed, TopicPartition
from twinstream.log.retention import IfLogLost
from twinstream.loop import takeover as starting
from twinstream.loop.commit import Step
from twinstream.testing import START_MS, Driver

SOURCE = TopicPartition("transactions", 0)
COUNT = 20


class Crash(BaseException):
    """Ends a worker where it stands, as SIGKILL would."""


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """The warnings of taking partitions over."""
    lines: list[tuple[str, dict[str, Any]]] = []

    class Logger:
        def warning(self, event: str, **values: Any) -> None:
            lines.append((event, values))

    monkeypatch.setattr(starting, "_logger", Logger())
    return lines


@pytest.fixture
def driver() -> Driver:
    """A log that was processed whole, in batches of two records."""
    driver = Driver(**(SETTINGS | {"max_poll_records": 2}))
    for number in range(COUNT):
        driver.now_ms += 1_000
        payment = {"transaction_id": f"t{number}", "card_id": "c", "amount": 1, "currency": "EUR"}
        driver.send("transactions", payment | {"event_time": START_MS + 1_000 * number})
    driver.run()
    return driver


def start_again(driver: Driver, offset_set: int, decision: IfLogLost = IfLogLost.REFUSE) -> list[int]:
    """Set the group's offset and run another worker; the source offsets of what it emitted."""
    before = len(driver.feature_records("transaction"))
    driver.broker.commit({SOURCE: Committed(offset_set)})
    driver.restart(decision)
    driver.run()
    return [record.offset for record in driver.feature_records("transaction")[before:]]


@pytest.mark.parametrize("offset_set", [0, 7, COUNT + 5])
def test_redis_wins_and_that_is_said_with_what_else_can_be_done(
    driver: Driver, said: list[tuple[str, dict[str, Any]]], offset_set: int
) -> None:
    assert start_again(driver, offset_set) == []
    ((event, values),) = said
    assert "wins: the offset is set back. To process again, set it once more and start with" in event
    assert (values["offset_set"], values["processed_up_to"]) == (offset_set, COUNT)


def test_an_offset_set_to_where_redis_stands_is_nothing_to_speak_of(
    driver: Driver, said: list[tuple[str, dict[str, Any]]]
) -> None:
    assert start_again(driver, COUNT) == []
    assert said == []


@pytest.mark.parametrize("offset_set", [0, 7])
def test_by_decision_everything_from_there_on_is_emitted_again_with_the_same_bytes(
    driver: Driver, said: list[tuple[str, dict[str, Any]]], offset_set: int
) -> None:
    shown, log = driver.features("transaction", "c"), driver.feature_records("transaction")
    assert start_again(driver, offset_set, IfLogLost.REBUILD) == list(range(offset_set, COUNT))
    assert driver.feature_records("transaction")[COUNT:] == log[offset_set:]
    assert driver.features("transaction", "c") == shown
    assert said[0][1]["emit_from"] == offset_set


def test_by_decision_what_lies_before_a_later_offset_is_not_emitted_but_counts(driver: Driver) -> None:
    driver.broker.commit({SOURCE: Committed(COUNT + 1)})
    for number in (COUNT, COUNT + 1):
        driver.now_ms += 1_000
        payment = {"transaction_id": f"t{number}", "card_id": "c", "amount": 1, "currency": "EUR"}
        driver.send("transactions", payment | {"event_time": START_MS + 1_000 * number})
    assert start_again(driver, COUNT + 1, IfLogLost.REBUILD) == [COUNT + 1]
    assert driver.features("transaction", "c")["txn_count"] == str(COUNT + 2)


def test_with_redis_emptied_the_offset_is_all_there_is_and_wins(
    driver: Driver, said: list[tuple[str, dict[str, Any]]]
) -> None:
    log = driver.feature_records("transaction")
    driver.database.clear()
    assert start_again(driver, 7) == list(range(7, COUNT))
    assert driver.feature_records("transaction")[COUNT:] == log[7:], "windows reach back before the offset"
    ((event, values),) = said
    assert "and wins" in event
    assert values["offset_set"] == 7


@pytest.mark.parametrize("step", [Step.LOADED, Step.TRANSACTION_COMMITTED, Step.PROGRESS_SAVED])
@pytest.mark.parametrize("times", [1, 3, 6])
def test_a_worker_killed_while_it_processes_again_goes_on_without_the_decision(
    driver: Driver, step: Step, times: int
) -> None:
    left = times

    def crash(reached: Step) -> None:
        nonlocal left
        left -= reached is step
        if left == 0:
            raise Crash

    driver.broker.commit({SOURCE: Committed(7)})
    driver._reached = crash
    driver.restart(IfLogLost.REBUILD)
    with pytest.raises(Crash):
        driver.run()
    driver._reached = lambda step: None
    driver.restart()
    driver.run()
    emitted = [record.offset for record in driver.feature_records("transaction")]
    assert emitted == [*range(COUNT), *range(7, COUNT)]
