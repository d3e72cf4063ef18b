"""A process that outlives the command that started it, and is found again by its pid file."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import psutil

from twinstream.errors import UserError

_SAME_START_SECONDS = 3.0
"""How far apart two readings of one process's start time may be when the clock was set in between."""


class _Note(msgspec.Struct, frozen=True):
    """What a pid file holds."""

    pid: int
    started: float
    port: int


class Daemon:
    """One background process that serves a port, with its pid file and its log in `directory`.

    The pid file holds the start time too: a pid that the system has since given to another program is not ours.
    """

    def __init__(self, name: str, directory: Path, port: int) -> None:
        self.name = name
        self.port = port
        self.pid_file = directory / f"{name}.pid"
        self.log_file = directory / f"{name}.log"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        process = self._process()
        return process.pid if process else None

    @property
    def running(self) -> bool:
        """Whether it runs; a one-line refusal if it does so on another port than the one asked for."""
        if self.pid is None:
            return False
        port = self._noted().port
        if port != self.port:
            raise UserError(f'{self.name} runs at port {port} already, not {self.port}. End it first: "make down".')
        return True

    def start(
        self,
        command: Sequence[str],
        ready: Callable[[], bool],
        *,
        seconds: float = 60,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        """Run `command` in a directory and return as soon as `ready` answers yes; it has `seconds` for that."""
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=environment,
                cwd=directory,
            )
        started = psutil.Process(self._child.pid).create_time()
        self.pid_file.write_bytes(msgspec.json.encode(_Note(self._child.pid, started, self.port)))
        deadline = time.monotonic() + seconds
        while not ready():
            if self._child.poll() is not None:
                self.pid_file.unlink(missing_ok=True)
                raise UserError(f"{self.name} ended while starting: {self._last_words()} (see {self.log_file}).")
            if time.monotonic() > deadline:
                self.stop()
                raise UserError(f"{self.name} was not ready after {seconds:.0f} s (see {self.log_file}).")
            time.sleep(0.05)

    def stop(self, seconds: float = 30) -> bool:
        """Ask it to end, and make it end after `seconds`; return whether it ran."""
        process = self._process()
        if process:
            process.terminate()
            try:
                process.wait(seconds)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait()
        self.pid_file.unlink(missing_ok=True)
        return process is not None

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        process = self._process()
        if process:
            process.kill()
            process.wait()
        self.pid_file.unlink(missing_ok=True)

    def _process(self) -> psutil.Process | None:
        try:
            noted = self._noted()
            process = psutil.Process(noted.pid)
            same = abs(process.create_time() - noted.started) < _SAME_START_SECONDS
            alive = process.status() != psutil.STATUS_ZOMBIE
        except (OSError, msgspec.DecodeError, psutil.Error):
            return None
        return process if same and alive else None

    def _noted(self) -> _Note:
        return msgspec.json.decode(self.pid_file.read_bytes(), type=_Note)

    def _last_words(self) -> str:
        lines = self.log_file.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
