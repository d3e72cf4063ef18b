"""What a worker counts, and what a person sees of it."""

import io
from typing import Any

import pytest
from rich.console import Console

from twinstream.core.rejection import REASONS
from twinstream.log.contract import TopicPartition
from twinstream.loop.commit import Step
from twinstream.loop.status import WorkerStatus
from twinstream.testing import START_MS, Driver


class Crash(BaseException):
    """Ends a worker where it stands, as SIGKILL would."""


def payment(number: int, at_ms: int = 0, **fields: Any) -> dict[str, Any]:
    """A transaction."""
    record = {"transaction_id": f"t{number}", "card_id": "card-1", "amount": 10, "currency": "EUR"}
    return record | {"event_time": START_MS + at_ms} | fields


def send_mixed(driver: Driver) -> None:
    """Two good payments, one of them twice, one late and two that are no JSON."""
    for value in (payment(1), payment(2), payment(2), payment(3, -(10**6)), b"{", b""):
        driver.send("transactions", value)


def sample(driver: Driver, name: str, **labels: str) -> float | None:
    """A metric's value."""
    return driver.loop.totals.metrics.registry.get_sample_value(name, labels)


def test_every_record_is_accepted_or_a_dead_letter_of_one_reason() -> None:
    driver = Driver()
    send_mixed(driver)
    driver.run()
    totals = driver.loop.totals
    assert (totals.input, totals.accepted["transaction"]) == (6, 2)
    assert totals.dead_letters == {
        ("transactions", "duplicate"): 1,
        ("transactions", "late"): 1,
        ("transactions", "malformed"): 2,
    }
    assert totals.replayed.total() == totals.recoveries == 0


def test_what_is_applied_again_is_not_counted_as_input() -> None:
    def reached(step: Step) -> None:
        if step is Step.TRANSACTION_COMMITTED and not driver.features("transaction", "card-1"):
            raise Crash

    driver = Driver(reached=reached)
    send_mixed(driver)
    with pytest.raises(Crash):
        driver.run()
    driver._reached = lambda step: None
    driver.restart()
    driver.send("transactions", payment(4))
    driver.run()
    totals = driver.loop.totals
    assert totals.replayed["transaction"] == 6
    assert totals.input == totals.accepted["transaction"] == 1


def test_prometheus_is_told_the_same() -> None:
    driver = Driver()
    send_mixed(driver)
    driver.run()
    assert sample(driver, "twinstream_events_total", group="transaction", outcome="accepted") == 2
    assert sample(driver, "twinstream_events_total", group="transaction", outcome="dead_letter") == 4
    assert sample(driver, "twinstream_dead_letters_total", topic="transactions", reason="late") == 1


def test_writes_of_an_entity_in_two_partitions_are_counted() -> None:
    driver = Driver(partitions=2)
    for number in range(4):
        driver.send("transactions", payment(number, number), partition=number % 2)
        driver.run()
    assert driver.loop.totals.shared == 3


def summary(driver: Driver) -> str:
    """The summary as it is printed where there is no terminal."""
    console = Console(file=io.StringIO(), width=120)
    console.print(WorkerStatus(driver.loop, console).summary())
    output: Any = console.file
    return str(output.getvalue())


def test_the_summary_shows_each_topic_and_only_the_reasons_that_occurred() -> None:
    driver = Driver()
    send_mixed(driver)
    driver.run()
    header, transactions, *_, everything, caption = summary(driver).rstrip().splitlines()
    assert header.split() == ["topic", "input", "accepted", "malformed", "late", "duplicate"]
    assert transactions.split() == ["transactions", "6", "2", "2", "1", "1"]
    assert everything.split() == ["all", "6", "2", "2", "1", "1"]
    assert "6 records in" in caption


def test_the_summary_with_every_reason_fits_a_terminal() -> None:
    driver = Driver()
    driver.loop.totals.records["transactions"] = 1_234_567
    for reason in REASONS:
        driver.loop.totals.dead_letters["transactions", reason] = 1_234
    lines = summary(driver).rstrip().splitlines()
    assert max(map(len, lines)) <= 80
    assert "dupli-" in lines[0]


def test_a_summary_of_nothing_is_one_too() -> None:
    assert "0 records in" in summary(Driver())


def test_the_live_line_tells_what_the_worker_waits_for() -> None:
    driver = Driver()
    status = WorkerStatus(driver.loop, Console(file=io.StringIO()))
    assert "lag" in status._line(0.0)
    driver.loop.fault = OSError("Kafka is away")
    assert "Kafka is away" in status._line(0.0)


def ahead(driver: Driver) -> dict[str, float]:
    """How far event time is ahead of append time, by `topic-partition`, as it is exported."""
    (family,) = (each for each in driver.loop.totals.metrics.registry.collect() if each.name.endswith("_ahead_seconds"))
    return {f"{sample.labels['topic']}-{sample.labels['partition']}": sample.value for sample in family.samples}


def test_a_fast_clock_shows_in_the_metric_of_its_partition_until_time_has_passed_it() -> None:
    driver = Driver(partitions=2)
    payment = {"transaction_id": "t", "card_id": "c", "amount": 1, "currency": "EUR"}
    driver.send("transactions", payment | {"event_time": driver.now_ms + 29_000}, partition=1)
    driver.run()
    assert ahead(driver) == {"transactions-1": 29.0}
    driver.now_ms += 40_000
    driver.send("transactions", payment | {"event_time": driver.now_ms - 5_000}, partition=1)
    driver.run()
    assert ahead(driver) == {"transactions-1": -5.0}


def test_what_is_told_of_a_partition_goes_with_it() -> None:
    driver = Driver(partitions=2)
    send_mixed(driver)
    driver.run()
    status = WorkerStatus(driver.loop, Console(file=io.StringIO()))
    status._look_at_lag()
    metrics = driver.loop.totals.metrics
    told = {
        (sample.labels["topic"], sample.labels["partition"]) for sample in metrics.consumer_lag.collect()[0].samples
    }
    assert ("transactions", "0") in told
    driver.loop._on_revoked([TopicPartition(topic, int(partition)) for topic, partition in told])
    per_partition = [
        sample
        for family in metrics.registry.collect()
        for sample in family.samples
        if family.type == "gauge" and "partition" in sample.labels
    ]
    assert per_partition == []
