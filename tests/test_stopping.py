"""The request to stop, as a process that is sent signals."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

WORKER = """
import time
from twinstream.stopping import StopRequest
stop = StopRequest({arguments})
print("ready", flush=True)
while not stop.requested:
    time.sleep(0.01)
print("requested", flush=True)
{then}
"""
WAITING = """
from threading import Event
from twinstream.stopping import StopRequest
from twinstream.terminal import Terminal, spinner
stop = StopRequest()
terminal = Terminal()
with terminal.live(spinner("lag 17")):
    while not stop.requested:
        Event().wait(0.05)
    print("draining", flush=True)
    Event().wait()
"""
NEVER_ENDS = "while True: time.sleep(0.01)"


@contextmanager
def worker(arguments: str = "", then: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that waits for the request, and then does something."""
    script = WORKER.format(arguments=arguments, then=then)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert next_line(process) == "ready"
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request(number: signal.Signals) -> None:
    with worker() as process:
        process.send_signal(number)
        assert next_line(process) == "requested"
        assert process.wait(30) == 0


def test_the_second_signal_ends_the_process_at_once() -> None:
    with worker(then=NEVER_ENDS) as process:
        process.send_signal(signal.SIGINT)
        assert next_line(process) == "requested"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM


def test_a_process_that_misses_its_deadline_says_so_and_is_ended() -> None:
    with worker("0.05, 'the batch is recovered at the next start'", NEVER_ENDS) as process:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    assert "the batch is recovered at the next start" in output
    assert process.returncode == 3


def test_the_second_request_ends_at_once_without_a_live_line_or_a_hidden_cursor() -> None:
    reader, terminal = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen([sys.executable, "-c", WAITING], stdout=terminal, env=environment)
    os.close(terminal)
    shown = ""
    for awaited in ("lag 17", "draining"):
        while awaited not in shown:
            shown += os.read(reader, 4096).decode()
        process.send_signal(signal.SIGINT)
    assert process.wait(10) == 128 + signal.SIGINT
    try:
        while more := os.read(reader, 4096):
            shown += more.decode()
    except OSError:
        """The terminal is closed with the process."""
    os.close(reader)
    assert shown.endswith("\r\x1b[2K\x1b[?25h")
