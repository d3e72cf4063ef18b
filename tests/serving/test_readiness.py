"""Readiness: how far behind the features are, as far as the store alone can tell."""

from collections.abc import Callable

import pytest

from tests.reference import GROUPS, REGISTRY
from tests.serving.calls import call
from twinstream.core.lateness import LatenessState
from twinstream.online.contract import Partition, Progress
from twinstream.online.epoch import epoch
from twinstream.online.memory import MemoryDatabase, MemoryStore
from twinstream.registry import Registry
from twinstream.serving.app import now_ms
from twinstream.serving.http import Application
from twinstream.settings import load_settings

Make = Callable[..., Application]


@pytest.fixture
def claimed(database: MemoryDatabase) -> MemoryStore:
    """A store in which a worker has claimed partition 0 of every group."""
    store = MemoryStore(database, "twinstream")
    for group in REGISTRY:
        store.claim(Partition(group.topic, 0, group.name), epoch("topic", group, load_settings()))
    return store


def reached(store: MemoryStore, number: int, next_offset: int, newest_ms: int) -> None:
    """Claim a partition of the transactions and move its progress on."""
    partition = Partition("transactions", number, "transaction")
    claim, _ = store.claim(partition, epoch("topic", GROUPS["transaction"], load_settings()))
    store.save_progress([(claim, None, Progress(next_offset, LatenessState(newest_ms)))])


def test_a_store_that_nobody_wrote_to_is_not_ready(api: Make) -> None:
    answered = call(api(), "GET", "/readyz")

    assert answered.status == 503
    assert answered.data["ready"] is False
    assert len(answered.data["reasons"]) == len(REGISTRY)
    assert "No worker has claimed a partition of transactions" in answered.data["reasons"][0]


@pytest.mark.usefixtures("claimed")
def test_claimed_partitions_without_an_event_are_ready_and_no_number_is_made_up(api: Make) -> None:
    answered = call(api(), "GET", "/readyz")

    assert answered.status == 200
    assert answered.data["groups"]["transaction"] == {
        "behind_ms": None,
        "partitions": [{"partition": 0, "next_offset": None, "newest_event_time": None}],
    }


def test_how_far_behind_is_told_from_the_newest_event_of_all_partitions(api: Make, claimed: MemoryStore) -> None:
    moment_ms = now_ms()
    reached(claimed, 0, 5, moment_ms - 60_000)
    reached(claimed, 1, 9, moment_ms - 2_000)

    group = call(api(), "GET", "/readyz").data["groups"]["transaction"]

    assert 2_000 <= group["behind_ms"] < 60_000
    assert group["partitions"] == [
        {"partition": 0, "next_offset": 5, "newest_event_time": moment_ms - 60_000},
        {"partition": 1, "next_offset": 9, "newest_event_time": moment_ms - 2_000},
    ]


def test_partitions_beyond_the_first_look_are_found(api: Make, claimed: MemoryStore) -> None:
    for number in range(70):
        reached(claimed, number, number, now_ms())

    group = call(api(), "GET", "/readyz").data["groups"]["transaction"]

    assert [each["next_offset"] for each in group["partitions"]] == list(range(70))


def test_events_older_than_the_limit_are_not_ready(api: Make, claimed: MemoryStore) -> None:
    reached(claimed, 0, 5, now_ms() - 60_000)

    assert call(api(), "GET", "/readyz").status == 200
    answered = call(api(serving_max_behind_seconds=30), "GET", "/readyz")

    assert answered.status == 503
    assert "The newest transaction event is older than 30 s, or there is none." in answered.data["reasons"]


@pytest.mark.usefixtures("claimed")
def test_states_of_other_settings_than_the_services_are_not_ready(api: Make) -> None:
    answered = call(api(window_size_minutes=6), "GET", "/readyz")

    assert answered.status == 503
    assert "transaction states are of other definitions or other window settings" in answered.data["reasons"][0]


def test_the_reference_groups_are_all_looked_at(api: Make) -> None:
    assert list(call(api(), "GET", "/readyz").data["groups"]) == list(Registry(REGISTRY).names)
