"""Worker processes of the loop, forked or started as users start them."""

import multiprocessing
import os
import signal
import subprocess
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import psutil

from tests.loop.injected import Injection, work
from tests.waiting import wait_until

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.loop.injected"])


def forked(injection: Injection, arguments: list[str], environment: dict[str, str], log: Path) -> "Forked":
    """Start a worker as a fork of a process that has imported everything."""
    process = _forks.Process(target=work, args=(injection, arguments, environment, log), daemon=True)
    process.start()
    return Forked(process)


class Forked:
    """A forked process, with the part of `subprocess.Popen` that `Worker` needs."""

    def __init__(self, process: Any) -> None:
        self._process = process
        self.pid: int = process.pid

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        code: int | None = self._process.exitcode
        return code

    def wait(self, seconds: float | None = None) -> int:
        """Wait for its end; returns the exit code."""
        self._process.join(seconds)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("worker", seconds or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


class Worker:
    """A worker process."""

    def __init__(self, process: "Forked | subprocess.Popen[bytes]", log: Path, port: int) -> None:
        self._process = process
        self._log = log
        self.port = port

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def said(self) -> str:
        """What it wrote so far."""
        return self._log.read_text(errors="replace")

    def plain_lines(self) -> list[str]:
        """What it wrote for people: everything but the log, which is JSON."""
        return [line for line in self.said().splitlines() if line and not line.startswith("{")]

    def wait(self, seconds: float = 120) -> int:
        """Wait for its end; returns the exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s: {self.said()}") from None

    def kill(self) -> None:
        """End it as a crash would."""
        if self.alive:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> int:
        """Ask it to end; returns the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def until_killed(self) -> None:
        """Wait until it has killed itself, as it was told to."""
        assert self.wait() == -signal.SIGKILL, self.said()

    def until_stopped(self, seconds: float = 90) -> None:
        """Wait until it has stopped itself (SIGSTOP), as it was told to."""
        process = psutil.Process(self._process.pid)
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, "the worker stops", seconds)

    def go_on(self) -> None:
        """Wake it up (SIGCONT)."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Put it to sleep (SIGSTOP)."""
        self._process.send_signal(signal.SIGSTOP)

    def readiness(self) -> int:
        """The status of /readyz; 0 when nobody answers."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code
        except (URLError, OSError):
            return 0

    def until_ready(self, status: int = 200, seconds: float = 90) -> None:
        """Wait until /readyz answers so."""
        wait_until(lambda: self.readiness() == status, f"/readyz says {status}", seconds, self.said)
