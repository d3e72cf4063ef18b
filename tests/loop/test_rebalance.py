"""Two workers and one log: partitions move between them while both work, and nothing is lost or done twice."""

import time
from signal import SIGSTOP

import pytest

from tests.loop.injected import Injection
from tests.loop.lab import Run
from tests.loop.outputs import Outputs, assert_same
from tests.loop.workers import Worker
from twinstream.loop.commit import Step

SLOWLY = {"max_poll_records": 20}
"""So that the log outlasts a rebalance."""

IMPATIENT = Injection(session_timeout_ms=2_000)
"""A worker that is not heard of for two seconds is given up."""


def two_at_work(run: Run) -> tuple[Worker, Worker]:
    """A worker that was joined by another in the middle of its work; both have partitions."""
    first = run.start(inject=IMPATIENT, **SLOWLY)
    run.until_under_way()
    second = run.start(inject=IMPATIENT, **SLOWLY)
    second.until_ready()
    first.until_ready()
    run.until_under_way()
    return first, second


@pytest.mark.parametrize("leave", [Worker.terminate, Worker.kill], ids=["SIGTERM", "SIGKILL"])
def test_a_second_worker_joins_and_the_first_leaves(run: Run, reference: Outputs, leave: object) -> None:
    first, second = two_at_work(run)
    leave(first)
    run.until_caught_up()
    assert second.terminate() == 0
    assert_same(run.outputs(), reference)


def test_a_killed_worker_comes_back_beside_the_other(run: Run, reference: Outputs) -> None:
    first, second = two_at_work(run)
    for _ in range(3):
        first.kill()
        first = run.start(inject=IMPATIENT, **SLOWLY)
        time.sleep(0.5)
    run.until_caught_up()
    assert (first.terminate(), second.terminate()) == (0, 0)
    assert_same(run.outputs(), reference)


@pytest.mark.parametrize("step", [Step.APPLIED, Step.OFFSETS_SENT, Step.TRANSACTION_COMMITTED, Step.FEATURES_WRITTEN])
def test_a_worker_that_was_given_up_writes_nothing_more(run: Run, reference: Outputs, step: Step) -> None:
    asleep = Injection(SIGSTOP, step, times=8, session_timeout_ms=2_000, transaction_timeout_ms=2_000)
    zombie = run.start(inject=asleep, **SLOWLY)
    zombie.until_stopped()
    successor = run.start(inject=IMPATIENT)
    successor.until_ready()
    run.until_under_way()
    zombie.go_on()
    run.until_caught_up()
    zombie.until_ready()
    assert (zombie.terminate(), successor.terminate()) == (0, 0)
    assert "Recovering" in zombie.said()
    assert_same(run.outputs(), reference)
