"""A Kafka that gives a transaction up, or that forgets the group's offsets."""

import time
from signal import SIGSTOP
from typing import Any

import pytest
from kafka import KafkaAdminClient

from tests.loop.injected import Injection
from tests.loop.lab import Lab, Run
from tests.loop.outputs import Outputs, assert_same
from twinstream.loop.commit import Step

SLOWLY = {"max_poll_records": 20}
"""So that a log outlasts what happens to Kafka meanwhile."""

BROKER_LOOKS_S = 1.0
"""How often the broker looks for transactions that have timed out."""


@pytest.mark.parametrize("step", [Step.OUTPUT_SENT, Step.OFFSETS_SENT])
def test_a_transaction_that_timed_out_is_done_again_once(run: Run, reference: Outputs, step: Step) -> None:
    worker = run.start(inject=Injection(SIGSTOP, step, times=5, transaction_timeout_ms=1_000), **SLOWLY)
    worker.until_stopped()
    time.sleep(1 + 2 * BROKER_LOOKS_S)
    worker.go_on()
    run.until_caught_up()
    assert worker.terminate() == 0
    assert_same(run.outputs(), reference)


def test_offsets_that_are_gone_altogether_are_taken_from_redis(lab: Lab, run: Run, reference: Outputs) -> None:
    run.finish()
    admin: Any = KafkaAdminClient(bootstrap_servers=lab.broker.servers)
    admin.delete_groups([run.group])
    admin.close()
    run.finish()
    assert_same(run.outputs(), reference)
