"""`twinstream serve` as a process."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from deploy.local import free_port
from tests.serving.calls import Answered, over_http
from tests.waiting import wait_until


class Service:
    """A process that serves, or refuses to.

    Args:
        arguments: of the command.
        settings: by name, as environment variables.
        log: where its standard error goes.

    Attributes:
        port: where it serves.
    """

    def __init__(self, arguments: Sequence[str], settings: dict[str, Any], log: Path) -> None:
        self.port = int(settings.get("serving_port", free_port()))
        wanted = {"serving_port": self.port} | settings
        variables = {name.upper(): str(value) for name, value in wanted.items()}
        self._log = log
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "twinstream", "serve", *arguments],
                env=os.environ | variables,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )

    def until_up(self) -> "Service":
        """Wait until it answers."""
        wait_until(self._answers, "the service answers", explain=self.said)
        return self

    def call(self, method: str, path: str, body: Any = None) -> Answered:
        """Call it."""
        return over_http(self.port, method, path, body)

    def said(self) -> str:
        """What it has written to standard error."""
        return self._log.read_text()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(90)

    def kill_supervisor(self) -> None:
        """End the process that was started, and none of those that it started, at once."""
        self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        """End it and its processes, if they still run."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.said()
        try:
            return self.call("GET", "/healthz").status == 200
        except OSError:
            return False
