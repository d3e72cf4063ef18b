"""A Redis that lost its last second, or everything: features and states come back from the log, silently."""

import shutil
from pathlib import Path

import pytest

from tests.loop.lab import Lab, Run
from tests.loop.outputs import Outputs, assert_same

SLOWLY = {"max_poll_records": 20}
"""So that a log outlasts what happens to Redis meanwhile."""


def lose_everything_since(lab: Lab, copy: Path) -> None:
    """Put Redis back to where it was when its data was copied, as a crash does before the disk is written."""
    lab.redis_server.kill()
    shutil.rmtree(lab.redis_server.data)
    shutil.copytree(copy, lab.redis_server.data)
    lab.redis_server.start()


@pytest.mark.parametrize("times", [1, 3])
def test_a_redis_that_lost_its_last_moments_under_a_live_worker(
    lab: Lab, run: Run, reference: Outputs, tmp_path: Path, times: int
) -> None:
    worker = run.start(**SLOWLY)
    for number in range(times):
        run.until_under_way()
        copy = shutil.copytree(lab.redis_server.data, tmp_path / str(number))
        run.until_under_way()
        worker.stop()
        reached = run.progress()
        lose_everything_since(lab, copy)
        assert sum(run.progress().values()) < sum(reached.values())
        worker.go_on()
    run.until_caught_up()
    assert worker.terminate() == 0
    assert_same(run.outputs(), reference)


def test_a_redis_that_lost_everything_under_a_live_worker(run: Run, reference: Outputs) -> None:
    worker = run.start(**SLOWLY)
    for _ in range(3):
        run.until_under_way()
        run.redis.flushall()
    run.until_caught_up()
    assert worker.terminate() == 0
    assert_same(run.outputs(), reference)


def test_a_redis_that_lost_everything_while_nothing_happens(run: Run, reference: Outputs) -> None:
    worker = run.start()
    run.until_caught_up()
    run.redis.flushall()
    run.until_caught_up()
    assert worker.terminate() == 0
    assert_same(run.outputs(), reference)


def test_a_redis_that_lost_everything_between_two_workers(run: Run, reference: Outputs) -> None:
    worker = run.start(**SLOWLY)
    run.until_under_way()
    worker.kill()
    run.redis.flushall()
    rebuilding = run.start(**SLOWLY)
    run.until_under_way()
    rebuilding.kill()
    run.finish()
    assert_same(run.outputs(), reference)


def test_entities_that_have_been_idle_are_gone_however_often_redis_was_rebuilt(reference: Outputs) -> None:
    seen = {key for _, key, _ in reference["features.transaction"]}
    shown = {name.removeprefix("features:transaction:").encode() for name in reference if "transaction:" in name}
    assert shown < seen
    assert len(seen - shown) > len(seen) / 4, "or the log has hardly any that are idle"
