"""Progress: moved by its owner, from where it is known to stand."""

from collections.abc import Callable

import pytest

from tests.features.events import MIDDAY_MS
from tests.online.conformance.lab import Lab
from tests.online.worker import Worker
from twinstream.core.lateness import LatenessState
from twinstream.online.contract import Progress
from twinstream.online.store_errors import StoreMismatch


def test_saved_progress_is_what_the_next_load_expects(worker: Worker) -> None:
    worker.finish(5)
    assert worker.load() == {}

    worker.finish(9)
    assert worker.load() == {}


def test_loading_at_another_progress_than_stored_is_refused(worker: Worker) -> None:
    worker.finish(5)
    worker.progress = Progress(9, LatenessState(MIDDAY_MS))

    with pytest.raises(StoreMismatch, match=r"is Progress\(next_offset=5.*not Progress\(next_offset=9"):
        worker.load()


def test_loading_where_no_progress_is_left_is_refused(lab: Lab, worker: Worker) -> None:
    worker.finish(5)
    lab.lose_everything()

    with pytest.raises(StoreMismatch, match="taken over by another worker, or the store has lost it"):
        worker.load()


def test_loading_what_another_worker_took_is_refused(worker: Worker, new_worker: Callable[..., Worker]) -> None:
    new_worker()

    with pytest.raises(StoreMismatch):
        worker.load()


def test_progress_saved_again_changes_nothing(lab: Lab, worker: Worker) -> None:
    worker.store.save_progress([(worker.claim, None, Progress(5, LatenessState(MIDDAY_MS)))])
    before = lab.everything()

    worker.store.save_progress([(worker.claim, None, Progress(5, LatenessState(MIDDAY_MS)))])

    assert lab.everything() == before


def test_progress_that_stands_elsewhere_is_not_moved(lab: Lab, worker: Worker) -> None:
    worker.finish(5)
    before = lab.everything()
    worker.progress = Progress(7, LatenessState(MIDDAY_MS))

    with pytest.raises(StoreMismatch, match="is not Progress"):
        worker.finish(9)

    assert lab.everything() == before


def test_a_worker_that_lost_the_partition_does_not_move_its_progress(
    lab: Lab, worker: Worker, new_worker: Callable[..., Worker]
) -> None:
    new_worker().finish(5)
    before = lab.everything()

    with pytest.raises(StoreMismatch):
        worker.finish(3)

    assert lab.everything() == before


def test_progress_without_an_event_time_is_kept_as_such(worker: Worker, new_worker: Callable[..., Worker]) -> None:
    worker.store.save_progress([(worker.claim, None, Progress(5, LatenessState(None)))])

    assert new_worker().progress == Progress(5, LatenessState(None))


def test_partitions_move_independently_in_one_go(new_worker: Callable[..., Worker]) -> None:
    workers = [new_worker(partition=number) for number in range(3)]

    workers[0].store.save_progress(
        [(worker.claim, None, Progress(number, LatenessState(number))) for number, worker in enumerate(workers)]
    )

    assert [new_worker(partition=number).progress for number in range(3)] == [
        Progress(number, LatenessState(number)) for number in range(3)
    ]
