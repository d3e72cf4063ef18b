"""A request to end: the first one drains, the second one ends at once and leaves the terminal as it was."""

import os
import pty
import signal
import subprocess
import sys

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
