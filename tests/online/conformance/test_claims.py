"""Claims: who may write to a partition, and what becomes of another epoch."""

from collections.abc import Callable

import pytest

from tests.features.events import MIDDAY_MS
from tests.online.conformance.lab import Lab
from tests.online.worker import Worker, first
from twinstream.core.lateness import LatenessState
from twinstream.online.contract import Progress
from twinstream.online.redis.store import ENTITIES_PER_SWEEP
from twinstream.online.store_errors import StoreMismatch


def test_a_partition_that_nobody_had_has_no_progress(worker: Worker) -> None:
    assert worker.progress is None


def test_the_next_owner_finds_the_progress_and_the_states(worker: Worker, new_worker: Callable[..., Worker]) -> None:
    worker.write(first())
    worker.finish(1)

    successor = new_worker()

    assert successor.progress == Progress(1, LatenessState(MIDDAY_MS))
    assert successor.load("card")["card"] is not None


def test_states_written_before_any_progress_are_kept(worker: Worker, new_worker: Callable[..., Worker]) -> None:
    worker.write(first())

    successor = new_worker()

    assert successor.progress is None
    assert successor.load("card")["card"] is not None


def test_every_claim_has_a_token_of_its_own(worker: Worker, new_worker: Callable[..., Worker]) -> None:
    assert worker.claim.token != new_worker().claim.token


def test_another_epoch_finds_nothing_and_leaves_nothing(
    lab: Lab, worker: Worker, new_worker: Callable[..., Worker]
) -> None:
    worker.write(*[first(f"card{number}", number) for number in range(20)])
    worker.finish(20)

    successor = new_worker(epoch="e2")

    assert successor.progress is None
    assert successor.load("card0")["card0"] is None
    assert not lab.holds_entities()


def test_more_entities_than_one_removal_takes_are_removed_for_another_epoch(
    lab: Lab, worker: Worker, new_worker: Callable[..., Worker]
) -> None:
    one = first()
    worker.write(*[one._replace(entity=f"card{number}") for number in range(2 * ENTITIES_PER_SWEEP)])

    new_worker(epoch="e2")

    assert not lab.holds_entities()


def test_the_removal_for_another_epoch_spares_other_partitions(lab: Lab, new_worker: Callable[..., Worker]) -> None:
    workers = [new_worker(partition=number) for number in range(2)]
    for number, worker in enumerate(workers):
        worker.write(first(f"card{number}"))
        worker.finish(1)

    new_worker(epoch="e2", partition=0)

    assert workers[0].features("card0") == {}
    assert workers[1].features("card1") != {}
    assert workers[1].load("card1")["card1"] is not None


def test_a_writer_of_another_epoch_is_refused(worker: Worker, new_worker: Callable[..., Worker]) -> None:
    new_worker(epoch="e2")

    with pytest.raises(StoreMismatch):
        worker.write(first())


def test_what_is_forgotten_is_gone_and_the_claim_still_good(lab: Lab, worker: Worker) -> None:
    worker.write(first())
    worker.finish(1)

    worker.store.forget(worker.claim)

    worker.progress = None
    assert worker.load("card")["card"] is None
    assert worker.features() == {}
    worker.write(first())
    worker.finish(1)


def test_only_the_owner_may_forget(lab: Lab, worker: Worker, new_worker: Callable[..., Worker]) -> None:
    worker.write(first())
    new_worker()
    before = lab.everything()

    with pytest.raises(StoreMismatch):
        worker.store.forget(worker.claim)

    assert lab.everything() == before
