"""The real worker with something to go wrong in it, in a process forked from one that has imported everything."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from signal import Signals
from typing import Any, NamedTuple

from tests.reference import GROUPS, compute_from_now_on
from twinstream.log.kafka import client_options, transactions
from twinstream.loop import worker
from twinstream.loop.commit import Step
from twinstream.loop.loop import Loop


class Injection(NamedTuple):
    """What is to go wrong; by default nothing.

    Attributes:
        signal, step, times: the worker sends itself this signal when it has reached the step so many times.
        failing_feature: this transaction feature raises for amounts whose cents are 13.
        session_timeout_ms, transaction_timeout_ms, outcome_timeout_s: shorter than the real ones, so that tests need
            not wait: for a member or a transaction to be given up, and for the outcome of a transaction.
    """

    signal: Signals | None = None
    step: Step = Step.POLLED
    times: int = 1
    failing_feature: str | None = None
    session_timeout_ms: int | None = None
    transaction_timeout_ms: int | None = None
    outcome_timeout_s: float | None = None


NOTHING = Injection()


def signals_itself(number: Signals, step: Step, times: int) -> Callable[[Step], None]:
    """A `reached` hook that sends the process a signal the given time that a step is reached."""
    left = times

    def reached(at: Step) -> None:
        nonlocal left
        left -= at is step
        if at is step and left == 0:
            os.kill(os.getpid(), number)

    return reached


def make_fail(feature_name: str) -> None:
    """Let a transaction feature raise for amounts that end in 13 cents."""
    group = GROUPS["transaction"]

    def failing(compute: Callable[[Any], Any], window: Any) -> Any:
        if window.newest.amount_minor % 100 == 13:
            raise ZeroDivisionError
        return compute(window)

    compute_from_now_on(
        group,
        [
            replace(feature, compute=partial(failing, feature.compute)) if feature.name == feature_name else feature
            for feature in group.features
        ],
    )


def work(injection: Injection, arguments: list[str], environment: dict[str, str], log: Path) -> None:
    """Be a worker: the same as `flink/stream_processor.py` with these arguments, but for what is injected."""
    os.environ.clear()
    os.environ.update(environment)
    with log.open("wb") as sink:
        os.dup2(sink.fileno(), sys.stdout.fileno())
        os.dup2(sink.fileno(), sys.stderr.fileno())
    if injection.signal:
        reached = signals_itself(injection.signal, injection.step, injection.times)
        worker.Loop = partial(Loop, reached=reached)  # type: ignore[assignment, misc]
    if injection.failing_feature:
        make_fail(injection.failing_feature)
    if injection.session_timeout_ms:
        client_options.MEMBER_OPTIONS["session_timeout_ms"] = injection.session_timeout_ms
    if injection.transaction_timeout_ms:
        client_options.WRITER_OPTIONS["transaction_timeout_ms"] = injection.transaction_timeout_ms
    if injection.outcome_timeout_s:
        transactions.OUTCOME_TIMEOUT_S = injection.outcome_timeout_s
    sys.argv[1:] = arguments
    worker.run_from_command_line()
