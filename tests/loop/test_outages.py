"""Kafka or Redis away for a while, under a worker that lives on: nothing is lost, and nobody has to do anything."""

from collections.abc import Callable

import pytest

from tests.loop.injected import Injection
from tests.loop.lab import Lab, Run
from tests.loop.outputs import Outputs, assert_same

SLOWLY = {"max_poll_records": 20}
"""So that a log outlasts what happens meanwhile."""

IMPATIENT = Injection(outcome_timeout_s=4)
"""A worker that waits four seconds for a transaction instead of twenty."""

Service = Callable[[Lab], object]


def kafka(lab: Lab) -> object:
    """The broker of the lab."""
    return lab.broker


def redis(lab: Lab) -> object:
    """The Redis of the lab."""
    return lab.redis_server


@pytest.mark.parametrize("service", [kafka, redis])
def test_a_service_that_was_away_in_the_middle_of_the_log(
    lab: Lab, run: Run, reference: Outputs, service: Service
) -> None:
    worker = run.start(inject=IMPATIENT, **SLOWLY)
    run.until_under_way()
    service(lab).kill()
    worker.until_ready(503)
    service(lab).start()
    run.until_caught_up(90)
    worker.until_ready()
    assert worker.terminate() == 0
    assert_same(run.outputs(), reference)


@pytest.mark.parametrize("service", [kafka, redis])
def test_a_service_that_was_away_while_nothing_came(lab: Lab, run: Run, reference: Outputs, service: Service) -> None:
    worker = run.start(inject=IMPATIENT)
    run.until_caught_up()
    service(lab).kill()
    worker.until_ready(503)
    service(lab).start()
    worker.until_ready(seconds=60)
    assert worker.terminate() == 0
    assert_same(run.outputs(), reference)


@pytest.mark.parametrize("service", [kafka, redis])
def test_a_worker_can_be_ended_while_a_service_is_away(
    lab: Lab, run: Run, reference: Outputs, service: Service
) -> None:
    worker = run.start(inject=IMPATIENT, **SLOWLY)
    run.until_under_way()
    service(lab).kill()
    worker.until_ready(503)
    code = worker.terminate()
    service(lab).start()
    assert code == 0, worker.said()
    assert "records in" in worker.said()
    run.finish()
    assert_same(run.outputs(), reference)
