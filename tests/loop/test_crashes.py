"""Workers that die without warning: what they leave, continued by the next one, is what an uninterrupted run makes."""

import random
import time
from signal import SIGKILL

import pytest

from tests.loop.injected import Injection
from tests.loop.lab import Run
from tests.loop.outputs import DEAD_LETTERS, Outputs, assert_same
from twinstream.loop.commit import Step


@pytest.mark.parametrize("step", Step)
def test_a_worker_killed_after_a_step_and_again_while_recovering_changes_nothing(
    run: Run, reference: Outputs, step: Step
) -> None:
    run.start(inject=Injection(signal=SIGKILL, step=step, times=4)).until_killed()
    run.start(inject=Injection(signal=SIGKILL, step=step, times=1)).until_killed()
    run.finish()
    assert_same(run.outputs(), reference)


@pytest.mark.parametrize("seed", [1, 2])
def test_workers_killed_at_random_times_change_nothing(run: Run, reference: Outputs, seed: int) -> None:
    times = random.Random(seed)
    for _ in range(3):
        worker = run.start(max_poll_records=20)
        worker.until_ready()
        time.sleep(times.uniform(0, 0.4))
        worker.kill()
    run.finish()
    assert_same(run.outputs(), reference)


def test_the_log_has_every_kind_of_record(reference: Outputs) -> None:
    letters = b"".join(value for topic in DEAD_LETTERS for _, _, value in reference[topic])
    for reason in ("oversized", "malformed", "schema", "future", "late", "duplicate"):
        assert b'"reason":"%s"' % reason.encode() in letters
    assert len(reference["features.transaction"]) > 1_000


def test_a_killed_worker_gives_new_features_within_seconds_of_its_restart(run: Run, reference: Outputs) -> None:
    """The goal is 5 s, and it takes about 3 where the machine has nothing else to do; so the limit here is generous."""
    worker = run.start_command(max_poll_records=10)
    run.until_under_way()
    worker.kill()
    began = time.monotonic()
    worker = run.start_command()
    run.until_under_way()
    assert time.monotonic() - began < 30
    run.until_caught_up()
    assert worker.terminate() == 0
    assert_same(run.outputs(), reference)
