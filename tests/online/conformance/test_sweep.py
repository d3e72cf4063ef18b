"""The sweep: what is too old to matter goes, by event time."""

from collections.abc import Callable

import pytest

from tests.features.events import MIDDAY_MS, payment
from tests.online.conformance.lab import Lab
from tests.online.worker import Worker, first
from twinstream.core.lateness import LatenessState
from twinstream.online.contract import Progress
from twinstream.online.redis.store import ENTITIES_PER_SWEEP
from twinstream.online.store_errors import StoreMismatch


def test_an_entity_goes_when_its_newest_event_is_not_newer_than_the_time(lab: Lab, worker: Worker) -> None:
    worker.write(first("old", 0, MIDDAY_MS), first("young", 1, MIDDAY_MS + 1))

    assert worker.finish(2, sweep_until_ms=MIDDAY_MS) == 1

    assert worker.load("old", "young")["old"] is None
    assert worker.features("old") == {}
    assert worker.load("young")["young"] is not None
    assert worker.features("young") != {}


def test_a_later_event_keeps_an_entity(worker: Worker) -> None:
    worker.put("card", payment(MIDDAY_MS, 0))
    worker.put("card", payment(MIDDAY_MS + 10, 1))

    assert worker.finish(2, sweep_until_ms=MIDDAY_MS) == 0


def test_nothing_is_left_of_many_old_entities(lab: Lab, worker: Worker) -> None:
    one = first()
    worker.write(*[one._replace(entity=f"card{number}") for number in range(ENTITIES_PER_SWEEP * 2 + 3)])

    assert worker.finish(1, sweep_until_ms=MIDDAY_MS) == ENTITIES_PER_SWEEP * 2 + 3

    assert not lab.holds_entities()


def test_a_swept_entity_starts_anew(worker: Worker) -> None:
    worker.put("card", payment(MIDDAY_MS, 0))
    worker.finish(1, sweep_until_ms=MIDDAY_MS)

    written = worker.put("card", payment(MIDDAY_MS + 1, 1))

    assert written.base_offset == -1
    assert worker.state("card").applied_offset == 1


def test_nothing_is_swept_when_the_progress_is_refused(lab: Lab, worker: Worker) -> None:
    worker.write(first())
    before = lab.everything()
    worker.progress = Progress(3, LatenessState(MIDDAY_MS))

    with pytest.raises(StoreMismatch):
        worker.finish(4, sweep_until_ms=MIDDAY_MS)

    assert lab.everything() == before


def test_only_the_owner_sweeps(lab: Lab, worker: Worker, new_worker: Callable[..., Worker]) -> None:
    worker.write(first())
    new_worker()
    before = lab.everything()

    with pytest.raises(StoreMismatch):
        worker.store.sweep([(worker.claim, MIDDAY_MS)])

    assert lab.everything() == before


def test_partitions_are_swept_up_to_times_of_their_own(lab: Lab, new_worker: Callable[..., Worker]) -> None:
    workers = [new_worker(partition=number) for number in range(2)]
    for number, worker in enumerate(workers):
        worker.write(first(f"card{number}"))

    removed = workers[0].store.sweep([(workers[0].claim, MIDDAY_MS), (workers[1].claim, MIDDAY_MS - 1)])

    assert removed == 1
    assert [entity for entity, _ in workers[0].store.all_features("transaction")] == ["card1"]
