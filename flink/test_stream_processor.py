"""The whole processor without Kafka, Redis server or Java: `python flink/test_stream_processor.py`, or
`make test-features`, which run the tests of the pure feature functions, too.

The worker here is the real loop with its commit protocol and Lua scripts, on the test driver (`twinstream.testing`).
"""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    from twinstream.packages import require

    require("pytest", "hypothesis", "kafka", "msgspec", "pydantic_settings", "structlog")

import pytest  # noqa: E402

from features import transaction_features  # noqa: E402
from twinstream.core.feature_group import Feature  # noqa: E402
from twinstream.log.contract import KafkaUnavailable  # noqa: E402
from twinstream.loop.commit import Step  # noqa: E402
from twinstream.loop.totals import Totals  # noqa: E402
from twinstream.online.store_errors import StoreUnavailable  # noqa: E402
from twinstream.registry import Registry  # noqa: E402
from twinstream.testing import START_MS, Driver  # noqa: E402

WINDOW_MS = 5 * 60_000
LATENESS_MS = 30_000


class Crash(BaseException):
    """Ends a worker where it stands, as SIGKILL would: nothing in the loop may handle it."""


def payment(number: int, at_ms: int = 0, card: str = "card-1", **fields: Any) -> dict[str, Any]:
    """A transaction, by default of 10 EUR, `at_ms` after the start of the driver's clock."""
    defaults = {"transaction_id": f"t{number}", "card_id": card, "amount": 10, "currency": "EUR"}
    return defaults | {"event_time": START_MS + at_ms} | fields


def test_a_swipe_shows_in_redis_and_in_the_feature_log() -> None:
    driver = Driver()
    driver.send("transactions", payment(1, amount=12.5))
    driver.run()
    fields = driver.features("transaction", "card-1")
    assert (fields["txn_count"], fields["amount_sum"], fields["risk_reasons"]) == ("1", "12.5", "")
    (record,) = driver.feature_records("transaction")
    assert (record.entity, record.event_id, record.offset) == ("card-1", "t1", 0)
    assert record.features["amount_sum"] == 12.5


def test_each_topic_feeds_its_own_group() -> None:
    driver = Driver()
    driver.send("transactions", payment(1))
    driver.send(
        "orders",
        {
            "transaction_id": "o1",
            "user_id": "user-1",
            "timestamp": START_MS,
            "price": 19.99,
            "quantity": 3,
            "discount_applied": 0.15,
            "currency": "USD",
        },
    )
    click = {"event_id": "e1", "event_time": START_MS, "user_id": "user-1", "session_id": "s1"}
    driver.send("clickstream", click | {"event_type": "product_view"})
    driver.run()
    assert driver.features("transaction", "card-1")["txn_count"] == "1"
    assert driver.features("order", "user-1")["amount_sum"] == "50.97"
    assert driver.features("clickstream", "user-1")["product_views"] == "1"


@pytest.mark.parametrize(("age_ms", "count"), [(0, 2), (1, 2), (WINDOW_MS - 1, 2), (WINDOW_MS, 1), (WINDOW_MS + 1, 1)])
def test_a_window_holds_what_is_younger_than_its_size(age_ms: int, count: int) -> None:
    driver = Driver()
    driver.send("transactions", payment(1))
    driver.now_ms += age_ms
    driver.send("transactions", payment(2, age_ms))
    driver.run()
    assert driver.feature_records("transaction")[-1].features["txn_count"] == count


@pytest.mark.parametrize(
    ("behind_ms", "reasons"), [(LATENESS_MS, []), (LATENESS_MS + 1, ["late"]), (LATENESS_MS * 20, ["late"])]
)
def test_a_record_behind_the_watermark_is_late(behind_ms: int, reasons: list[str]) -> None:
    driver = Driver()
    driver.send("transactions", payment(1, 0, card="other"))
    driver.send("transactions", payment(2, -behind_ms))
    driver.run()
    assert [letter.reason for letter in driver.dead_letters("transactions")] == reasons


def test_a_bad_clock_does_not_move_the_watermark() -> None:
    driver = Driver()
    driver.send("transactions", payment(1, 10**9))
    driver.send("transactions", payment(2, 0))
    driver.run()
    assert [letter.reason for letter in driver.dead_letters("transactions")] == ["future"]
    assert driver.features("transaction", "card-1")["txn_count"] == "1"


def test_partitions_never_wait_for_one_another() -> None:
    driver = Driver(partitions=2)
    driver.send("transactions", payment(1, 0, card="a"), partition=0)
    driver.send("transactions", payment(2, -LATENESS_MS * 9, card="b"), partition=1)
    driver.run()
    assert driver.dead_letters("transactions") == []


def test_a_dead_letter_carries_the_record_as_it_came() -> None:
    driver = Driver()
    driver.send("transactions", payment(1))
    sent = driver.send("transactions", b'{"card_id": 7}', key="7")
    driver.run()
    (letter,) = driver.dead_letters("transactions")
    assert (letter.reason, letter.key, letter.value) == ("schema", b"7", sent.value)
    assert (letter.partition, letter.offset, letter.timestamp) == (0, 1, START_MS)
    assert letter.watermark == START_MS - LATENESS_MS


def test_every_record_is_accepted_or_a_dead_letter() -> None:
    driver = Driver()
    for value in (payment(1), payment(1), payment(2, -(10**6)), b"", None, b"[]", payment(3, amount="NaN"), payment(4)):
        driver.send("transactions", value)
    driver.run()
    totals = driver.loop.totals
    assert totals.input == 8
    assert totals.accepted.total() == len(driver.feature_records("transaction")) == 2
    assert totals.dead_letters.total() == len(driver.dead_letters("transactions")) == 6


def test_a_feature_that_raises_sets_the_record_aside_and_leaves_no_trace() -> None:
    def fails_on_13(window: Any) -> int:
        if window.newest.amount_minor == 1300:
            raise ZeroDivisionError
        return int(window.count)

    failing = Feature("fails_on_13", "int", False, "", "", "velocity", fails_on_13)
    driver = Driver(Registry([transaction_features.with_features([*transaction_features.features, failing])]))
    for number, amount in enumerate((10, 13, 10)):
        driver.send("transactions", payment(number, number, amount=amount))
    driver.run()
    (letter,) = driver.dead_letters("transactions")
    assert (letter.reason, letter.detail, letter.offset) == ("internal", "fails_on_13 raised ZeroDivisionError", 1)
    assert [record.features["txn_count"] for record in driver.feature_records("transaction")] == [1, 2]


def test_an_entity_is_swept_once_no_late_record_can_reach_its_window() -> None:
    driver = Driver()
    driver.send("transactions", payment(1, 0, card="idle"))
    gone_ms = WINDOW_MS + 2 * LATENESS_MS
    for number, at_ms in enumerate((gone_ms - 1, gone_ms), start=2):
        driver.now_ms = START_MS + at_ms
        driver.send("transactions", payment(number, at_ms, card="busy"))
        driver.run()
        assert bool(driver.features("transaction", "idle")) == (at_ms < gone_ms)


def mixed_log(driver: Driver, count: int = 120) -> None:
    """Payments of seven cards over two partitions, some out of order, some twice, some wrong."""
    for number in range(count):
        at_ms = number * 7_000 - (number % 5) * 9_000
        driver.now_ms = START_MS + number * 7_000
        value: Any = payment(number, at_ms, card=f"card-{number % 7}", amount=number)
        driver.send("transactions", value, partition=number % 7 % 2)
        if number % 11 == 0:
            driver.send("transactions", value, partition=number % 7 % 2)
        if number % 13 == 0:
            driver.send("transactions", b"not json", partition=1)


def reference() -> dict[str, Any]:
    """What an uninterrupted run makes of the mixed log."""
    driver = Driver(partitions=2)
    mixed_log(driver)
    driver.run()
    return driver.outputs()


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("time", [1, 2, 5])
def test_a_crash_after_any_step_changes_nothing(step: Step, time: int) -> None:
    left = [time]

    def reached(at: Step) -> None:
        if at is step:
            left[0] -= 1
            if left[0] == 0:
                raise Crash

    driver = Driver(partitions=2, reached=reached, max_poll_records=17)
    mixed_log(driver)
    with pytest.raises(Crash):
        driver.run()
    driver.restart()
    driver.run()
    assert driver.outputs() == reference()


def test_a_redis_that_lost_everything_is_rebuilt_from_the_log() -> None:
    driver = Driver(partitions=2, max_poll_records=17)
    mixed_log(driver)
    driver.run()
    driver.database.clear()
    driver.restart()
    driver.run()
    assert driver.outputs() == reference()


def test_a_redis_that_lost_everything_under_a_live_worker_is_noticed() -> None:
    seen: list[Step] = []

    def reached(at: Step) -> None:
        seen.append(at)
        if at is Step.APPLIED and seen.count(at) == 4:
            driver.database.clear()

    driver = Driver(partitions=2, max_poll_records=17, reached=reached)
    mixed_log(driver)
    driver.run()
    assert driver.loop.totals.recoveries == 1
    assert driver.outputs() == reference()


@pytest.mark.parametrize("settings", [{"max_poll_records": 1}, {"max_poll_records": 17}, {"cache_entities": 1}])
def test_batches_and_cache_cannot_be_told_from_the_results(settings: dict[str, Any]) -> None:
    driver = Driver(partitions=2, **settings)
    mixed_log(driver)
    driver.run()
    assert driver.outputs() == reference()


def test_a_deleted_and_recreated_topic_starts_over() -> None:
    driver = Driver()
    driver.send("transactions", payment(1, amount=99))
    driver.run()
    driver.broker.create("transactions")
    driver.restart()
    driver.send("transactions", payment(2, card="card-2"))
    driver.run()
    assert driver.features("transaction", "card-1") == {}
    assert driver.features("transaction", "card-2")["txn_count"] == "1"


@pytest.mark.parametrize(
    ("fault", "series"),
    [
        (StoreUnavailable("away"), "twinstream_redis_up"),
        (KafkaUnavailable("away"), "twinstream_kafka_up"),
    ],
)
def test_what_is_away_shows_in_the_metrics_until_all_is_well(fault: Exception, series: str) -> None:
    totals = Totals()
    values = []
    for happens in (totals.all_is_well, lambda: totals.recovering(fault), totals.all_is_well):
        happens()
        values.append(totals.metrics.registry.get_sample_value(series))
    assert values == [1.0, 0.0, 1.0]


def test_another_window_size_rebuilds_what_the_window_holds() -> None:
    driver = Driver()
    for number in range(10):
        driver.now_ms = START_MS + number * 60_000
        driver.send("transactions", payment(number, number * 60_000))
    driver.run()
    assert driver.features("transaction", "card-1")["txn_count"] == "5"
    driver.settings = driver.settings.model_copy(update={"window_size_minutes": 8})
    driver.restart()
    driver.send("transactions", payment(10, 9 * 60_000 + 1))
    driver.run()
    assert driver.features("transaction", "card-1")["txn_count"] == "9"
    assert len(driver.feature_records("transaction")) == 11


if __name__ == "__main__":
    pure = [
        str(ROOT / "tests" / "core"),
        str(ROOT / "tests" / "features"),
        str(ROOT / "tests" / "golden" / "test_golden.py"),
    ]
    sys.exit(pytest.main([__file__, *pure, "-q", "--rootdir", str(ROOT), *sys.argv[1:]]))
