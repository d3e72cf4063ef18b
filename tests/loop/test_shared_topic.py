"""Several groups read one topic: each as if it were alone, whenever it comes or goes, but decoding is shared."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.definitions.domestic import domestic
from tests.definitions.spending import spending
from tests.loop.test_totals import summary
from tests.properties import tries
from tests.reference import GROUPS
from twinstream.core.dead_letters import DeadLetter
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.window import Window
from twinstream.errors import UserError
from twinstream.loop.commit import Step
from twinstream.registry import Registry
from twinstream.testing import START_MS, Driver

TRANSACTION = GROUPS["transaction"]
ALL = (TRANSACTION, spending, domestic)
TOPIC = "transactions"

Letters = set[DeadLetter]


def payment(number: int, **fields: Any) -> dict[str, Any]:
    """A good transaction of one of three cards."""
    return {
        "transaction_id": f"t{number}",
        "event_time": START_MS + 1_000 * number,
        "card_id": f"c{number % 3}",
        "amount": "12.50",
        "currency": "USD",
        "merchant_id": f"m{number % 2}",
    } | fields


def send(driver: Driver, number: int, kind: str) -> None:
    """A record of a kind: good, in a currency that one group refuses, or wrong in some way."""
    if kind == "malformed":
        driver.send(TOPIC, b"{", key="c0")
        return
    fields: dict[str, dict[str, Any]] = {
        "euros": {"currency": "EUR"},
        "schema": {"currency": 12},
        "late": {"event_time": START_MS + 1_000 * number - 3_600_000},
        "duplicate": {"transaction_id": "t0", "event_time": START_MS, "card_id": "c0"},
    }
    driver.now_ms = START_MS + 1_000 * number
    driver.send(TOPIC, payment(number, **fields.get(kind, {})))


def letters(driver: Driver) -> Letters:
    return set(driver.dead_letters(TOPIC))


def alone(group: FeatureGroup, driver: Driver) -> Driver:
    """What the group makes of the log of another driver when it is the only one, without an interruption."""
    other = Driver(Registry([group]))
    for record in driver.broker.records(TOPIC):
        other.now_ms = record.timestamp
        other.broker.append(TOPIC, 0, record.key, record.value)
    other.run()
    return other


def assert_each_as_if_alone(driver: Driver, groups: Sequence[FeatureGroup] = ALL) -> None:
    of_all: Letters = set()
    for group in groups:
        one = alone(group, driver)
        log, mine = f"features.{group.name}", f"features:{group.name}:"
        wanted, got = one.outputs(), driver.outputs()
        assert got[log] == wanted[log]
        assert {key: got[key] for key in got if key.startswith(mine)} == {
            key: wanted[key] for key in wanted if key.startswith(mine)
        }
        of_all |= letters(one)
    assert letters(driver) == of_all


def mixed(driver: Driver, first: int, count: int) -> None:
    kinds = ("good", "euros", "good", "malformed", "late", "duplicate", "schema")
    for number in range(first, first + count):
        send(driver, number, kinds[number % len(kinds)])


def test_each_group_makes_what_it_makes_alone() -> None:
    driver = Driver(Registry(ALL))
    mixed(driver, 0, 50)
    driver.run()
    assert_each_as_if_alone(driver)
    assert len(driver.feature_records("spending")) > len(driver.feature_records("domestic")) > 0


def test_a_record_that_all_refuse_alike_has_one_dead_letter() -> None:
    driver = Driver(Registry(ALL))
    send(driver, 0, "good")
    for kind in ("malformed", "schema", "late", "duplicate"):
        send(driver, 1, kind)
    driver.run()
    assert [letter.reason for letter in driver.dead_letters(TOPIC)] == ["malformed", "schema", "late", "duplicate"]


def test_dead_letters_come_in_the_order_of_the_log_however_it_is_cut() -> None:
    made = []
    for batch in (1, 7, 1_000):
        driver = Driver(Registry(ALL), max_poll_records=batch)
        mixed(driver, 0, 50)
        driver.run()
        made.append(driver.outputs()[f"{TOPIC}.dlq"])
    assert made[0] == made[1] == made[2]


def test_what_one_group_refuses_the_others_have() -> None:
    driver = Driver(Registry(ALL))
    send(driver, 0, "euros")
    driver.run()
    (letter,) = driver.dead_letters(TOPIC)
    assert (letter.reason, letter.detail) == ("schema", "not in US dollars - at `$.currency`")
    assert [len(driver.feature_records(group.name)) for group in ALL] == [1, 1, 0]


def test_groups_of_different_keys_cannot_share_a_topic() -> None:
    by_merchant = TRANSACTION.with_features(TRANSACTION.features)
    by_merchant.name, by_merchant.entity = "merchant", "merchant_id"
    with pytest.raises(UserError, match="'transaction' and 'merchant' read the topic 'transactions' by different keys"):
        Registry([TRANSACTION, by_merchant])


# --- one decoding for all that decode alike --------------------------------------------------------------------------


def counting(group: FeatureGroup, name: str, decoded: Counter[int]) -> FeatureGroup:
    """The group under another name, its decoder counting the records that it sees."""
    other = group.with_features(group.features)
    other.name = name

    def decode(value: bytes | None, offset: int) -> Any:
        decoded[offset] += 1
        return group.decode(value, offset)

    other.decode = decode
    other.decoder = group.decoder
    return other


def test_a_record_is_decoded_once_for_groups_with_one_decoder() -> None:
    decoded: Counter[int] = Counter()
    driver = Driver(Registry([counting(TRANSACTION, "one", decoded), counting(TRANSACTION, "two", decoded)]))
    mixed(driver, 0, 30)
    driver.run()
    assert set(decoded) == set(range(30))
    assert set(decoded.values()) == {1}


def test_a_group_that_has_caught_up_shares_the_decoding_again() -> None:
    decoded: Counter[int] = Counter()
    one, two = counting(TRANSACTION, "one", decoded), counting(TRANSACTION, "two", decoded)
    driver = Driver(Registry([one]))
    mixed(driver, 0, 30)
    driver.run()
    driver.registry = Registry([one, two])
    driver.restart()
    driver.run()
    mixed(driver, 30, 30)
    driver.run()
    assert {offset: decoded[offset] for offset in range(60)} == dict.fromkeys(range(30), 2) | dict.fromkeys(
        range(30, 60), 1
    )


# --- groups come and go ----------------------------------------------------------------------------------------------


def test_a_group_that_comes_later_has_the_whole_log_and_the_others_repeat_nothing() -> None:
    driver = Driver(Registry([TRANSACTION]))
    mixed(driver, 0, 40)
    driver.run()
    before = driver.outputs()
    driver.registry = Registry(ALL)
    driver.restart()
    driver.run()
    assert driver.outputs()["features.transaction"] == before["features.transaction"]
    assert_each_as_if_alone(driver)
    mixed(driver, 40, 40)
    driver.run()
    assert_each_as_if_alone(driver)


def test_what_a_group_of_the_same_decoder_has_refused_is_not_written_again() -> None:
    driver = Driver(Registry([TRANSACTION]))
    mixed(driver, 0, 40)
    driver.run()
    before = driver.dead_letters(TOPIC)
    driver.registry = Registry([TRANSACTION, spending])
    driver.restart()
    driver.run()
    assert len(driver.feature_records("spending")) > 0
    again = driver.dead_letters(TOPIC)[len(before) :]
    assert again == [letter for letter in before if letter.reason == "duplicate"], "that depends on a group's states"


def test_a_duplicate_of_a_record_on_which_an_older_group_failed_is_told_all_the_same() -> None:
    failing = TRANSACTION.with_features([replace(TRANSACTION.features[0], compute=fail), *TRANSACTION.features[1:]])
    driver = Driver(Registry([failing]))
    for number in (0, 0):
        send(driver, number, "good")
    driver.run()
    driver.registry = Registry([failing, spending])
    driver.restart()
    driver.run()
    assert [(each.offset, each.reason) for each in driver.dead_letters(TOPIC)] == [
        (0, "internal"),
        (1, "internal"),
        (1, "duplicate"),
    ]


def fail(window: Window[Any]) -> int:
    """A feature with a fault."""
    raise ZeroDivisionError


def test_a_group_that_was_left_out_goes_on_where_it_was() -> None:
    driver = Driver(Registry(ALL))
    mixed(driver, 0, 40)
    driver.run()
    for groups in ([TRANSACTION], ALL):
        driver.registry = Registry(groups)
        driver.restart()
        mixed(driver, len(driver.broker.records(TOPIC)), 40)
        driver.run()
    assert_each_as_if_alone(driver)


class Killed(Exception):
    """The worker dies here."""


sets_of_groups = st.lists(st.sampled_from(ALL), min_size=1, max_size=3, unique_by=lambda group: group.name)
kinds = st.sampled_from(["good", "good", "euros", "malformed", "schema", "late", "duplicate"])
runs = st.lists(
    st.tuples(sets_of_groups, st.lists(kinds, max_size=12), st.sampled_from(Step), st.integers(1, 4)), max_size=5
)


@tries(100)
@given(runs=runs, batch=st.integers(1, 7), lost=st.booleans())
def test_whatever_groups_come_and_go_and_wherever_workers_die_each_is_as_if_alone(
    runs: list[tuple[list[FeatureGroup], list[str], Step, int]], batch: int, lost: bool
) -> None:
    left: list[Any] = [None, 0]

    def reached(step: Step) -> None:
        left[1] -= step is left[0]
        if step is left[0] and left[1] == 0:
            raise Killed

    driver = Driver(Registry(ALL), reached=reached, max_poll_records=batch)
    for groups, sent, step, times in runs:
        driver.registry = Registry(groups)
        left[:] = step, times
        driver.restart()
        for kind in sent:
            send(driver, len(driver.broker.records(TOPIC)), kind)
        with suppress(Killed):
            driver.run()
    if lost:
        driver.database.clear()
    left[:] = None, 0
    driver.registry = Registry(ALL)
    driver.restart()
    driver.run()
    assert_each_as_if_alone(driver)


# --- what a person sees ----------------------------------------------------------------------------------------------


def test_the_summary_counts_a_record_once_and_says_what_each_group_accepted() -> None:
    driver = Driver(Registry(ALL))
    for kind in ("good", "malformed", "euros"):
        send(driver, 0 if kind == "good" else 1, kind)
    driver.run()
    header, topic, *groups, everything, _ = summary(driver).rstrip().splitlines()
    assert header.split() == ["topic", "input", "accepted", "malformed", "schema"]
    assert topic.split() == ["transactions", "3", "1", "1"]
    assert [line.split() for line in groups] == [["transaction", "2"], ["spending", "2"], ["domestic", "1"]]
    assert everything.split() == ["all", "3", "5", "1", "1"]
