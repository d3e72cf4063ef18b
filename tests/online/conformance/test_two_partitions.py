"""An entity in two partitions: two states, and the newer features for everyone."""

from collections.abc import Callable

import pytest

from tests.features.events import MIDDAY_MS
from tests.online.conformance.lab import Lab
from tests.online.worker import Worker, first


@pytest.fixture
def workers(new_worker: Callable[..., Worker]) -> list[Worker]:
    return [new_worker(partition=number) for number in range(2)]


def test_each_partition_keeps_a_state_of_its_own(workers: list[Worker]) -> None:
    workers[0].write(first(offset=5))
    workers[1].write(first(offset=9))

    assert [worker.state("card").applied_offset for worker in workers] == [5, 9]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_newer_event_shows_whoever_writes_first(lab: Lab, workers: list[Worker], order: tuple[int, int]) -> None:
    writes = [first(time_ms=MIDDAY_MS + 1), first(time_ms=MIDDAY_MS)]

    for number in order:
        workers[number].write(writes[number])

    assert workers[0].features()["partition"] == "0"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_events_of_one_time_the_higher_partition_shows(
    lab: Lab, workers: list[Worker], order: tuple[int, int]
) -> None:
    for number in order:
        workers[number].write(first())

    assert workers[0].features()["partition"] == "1"


def test_the_conflict_is_reported_by_every_writer(workers: list[Worker]) -> None:
    assert workers[0].write(first(time_ms=MIDDAY_MS)) == []
    assert workers[1].write(first(time_ms=MIDDAY_MS - 1), first("other", 1)) == ["card"]
    assert workers[1].write(first("third", 2)) == []


def test_the_sweep_of_one_partition_leaves_the_features_of_the_other(lab: Lab, workers: list[Worker]) -> None:
    workers[0].write(first(time_ms=MIDDAY_MS))
    workers[1].write(first(time_ms=MIDDAY_MS + 1))

    workers[0].finish(1, sweep_until_ms=MIDDAY_MS)

    assert workers[0].load("card")["card"] is None
    assert workers[0].features()["partition"] == "1"
    assert workers[1].load("card")["card"] is not None


def test_another_epoch_of_one_partition_leaves_the_features_of_the_other(
    lab: Lab, workers: list[Worker], new_worker: Callable[..., Worker]
) -> None:
    workers[0].write(first(time_ms=MIDDAY_MS))
    workers[1].write(first(time_ms=MIDDAY_MS + 1))

    new_worker(epoch="e2", partition=0)

    assert workers[0].features()["partition"] == "1"
