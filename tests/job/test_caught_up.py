"""When a job has caught up: by what it says of itself, and a checkpoint after that."""

from dataclasses import dataclass, field

import pytest

from twinstream.job.caught_up import CaughtUp, Offsets

UNTIL = {("orders", 0): 10, ("orders", 1): 20}
END = dict(UNTIL)
BEFORE = {("orders", 0): 10, ("orders", 1): 19}


@dataclass
class FakeJob:
    """A job that says what it is told to."""

    at: Offsets = field(default_factory=dict)
    source: Offsets = field(default_factory=lambda: END)
    ended: bool | None = True
    asked: int = 0

    def positions(self) -> Offsets:
        return self.at

    def begin_checkpoint(self) -> str:
        self.asked += 1
        return str(self.asked)

    def checkpoint_ended(self, asked: str) -> bool | None:
        assert asked == str(self.asked)
        return self.ended

    def committed(self) -> Offsets:
        return self.source


@pytest.mark.parametrize("positions", [{}, BEFORE, {("orders", 0): 10}], ids=["nowhere", "one short", "one unknown"])
def test_job_that_has_not_processed_everything_has_not_caught_up(positions: Offsets) -> None:
    job = FakeJob()
    assert not CaughtUp(UNTIL).look(job, positions)
    assert job.asked == 0


def test_job_has_caught_up_once_a_checkpoint_begun_at_the_end_is_complete() -> None:
    job, caught_up = FakeJob(ended=None), CaughtUp(UNTIL)
    assert not caught_up.look(job, END)
    assert not caught_up.look(job, END)
    job.ended = True
    assert caught_up.look(job, END)
    assert job.asked == 1


def test_failed_checkpoint_is_asked_for_again() -> None:
    job, caught_up = FakeJob(ended=False), CaughtUp(UNTIL)
    assert not caught_up.look(job, END)
    job.ended = True
    assert caught_up.look(job, END)
    assert job.asked == 2


def test_restart_behind_the_end_begins_anew() -> None:
    job, caught_up = FakeJob(ended=None), CaughtUp(UNTIL)
    caught_up.look(job, END)
    assert not caught_up.look(job, BEFORE)
    job.ended = True
    assert caught_up.look(job, END)
    assert job.asked == 2


def test_metrics_of_before_a_restart_are_not_believed() -> None:
    job = FakeJob(source=BEFORE)
    assert not CaughtUp(UNTIL).look(job, END), "the source has been put back"


def test_empty_log_is_caught_up() -> None:
    assert CaughtUp({}).look(FakeJob(), {})
