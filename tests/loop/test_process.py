"""A worker as a process: how it ends when it is asked to, and how it refuses to start."""

import re
import signal
import socket
from typing import Any

import pytest

from deploy.local import free_port
from tests.loop.lab import Run
from tests.loop.outputs import Outputs, assert_same
from tests.loop.workers import Worker


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_worker_that_is_asked_to_end_finishes_its_batch_and_sums_up(
    run: Run, reference: Outputs, number: signal.Signals
) -> None:
    worker = run.start(max_poll_records=20)
    run.until_under_way()
    worker.send_signal(number)
    assert worker.wait() == 0, worker.said()
    done = sum(run.progress().values())
    assert 0 < done < sum(run.lab.ends().values())
    assert f"{done:,} records in" in worker.said()
    run.finish()
    assert_same(run.outputs(), reference)


def test_the_summary_accounts_for_every_record(run: Run, reference: Outputs) -> None:
    said = run.finish()
    records = sum(run.lab.ends().values())
    letters = sum(len(lines) for name, lines in reference.items() if name.endswith(".dlq"))
    (line,) = [line for line in said.splitlines() if line.startswith("all")]
    numbers = [int(number.replace(",", "")) for number in re.findall(r"[\d,]+", line)]
    assert numbers[:2] == [records, records - letters]
    assert sum(numbers[2:]) == letters


NOBODY = free_port()

REFUSALS: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "a flag with a wrong value": (["--worker-slot", "-1"], {}, "WORKER_SLOT is -1 (from a flag); expected"),
    "a variable with a wrong value": ([], {"window_size_minutes": "five"}, "WINDOW_SIZE_MINUTES is 'five'"),
    "a group that looks like markup": (
        [],
        {"consumer_group": "[/b]"},
        "CONSUMER_GROUP is '[/b]' (from the environment)",
    ),
    "no broker": ([], {"kafka_servers": f"127.0.0.1:{NOBODY}"}, "Kafka does not answer at"),
    "no Redis": ([], {"redis_port": NOBODY}, "Redis does not answer at"),
}


@pytest.mark.parametrize(("arguments", "settings", "expected"), REFUSALS.values(), ids=REFUSALS)
def test_a_worker_that_cannot_start_says_why_in_one_line(
    run: Run, arguments: list[str], settings: dict[str, Any], expected: str
) -> None:
    assert expected in refusal(run.start(*arguments, **settings))


def test_a_metrics_port_that_is_taken_is_told_in_one_line(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"METRICS_PORT={port}" in refusal(run.start(metrics_port=port))


def test_a_worker_slot_that_is_taken_is_told_in_one_line(run: Run, reference: Outputs) -> None:
    worker = run.start("--worker-slot", "3")
    worker.until_ready()
    assert "Worker slot 3" in refusal(run.start("--worker-slot", "3"))
    assert worker.terminate() == 0


def test_an_unknown_flag_shows_how_it_is_used(run: Run) -> None:
    worker = run.start_command("--no-such-flag")
    assert worker.wait() == 2
    assert "No such option: --no-such-flag" in worker.said()


def refusal(worker: Worker) -> str:
    """The one line of a worker that did not start."""
    assert worker.wait() == 2, worker.said()
    (line,) = worker.plain_lines()
    assert line.startswith("error: ")
    return line
