"""Worker slots: what makes a restarted worker the same group member and the same transactional producer.

A worker's name is `<group>-<host>-<slot>`. Kafka gives a member of the same name its partitions back at once and fences
its predecessor; two living workers of one name would fence each other for ever, so a slot is held by a file lock, which
the operating system drops when its holder dies, however it dies.
"""

import fcntl
import hashlib
import os
import re
import socket
import tempfile
from pathlib import Path
from typing import IO

from twinstream.errors import UserError

MAX_SLOTS = 10_000


def default_slot_directory() -> Path:
    """One directory per machine and user, wherever a worker is started from."""
    return Path(tempfile.gettempdir()) / f"twinstream-slots-{os.getuid()}"


class WorkerSlot:
    """A locked slot; `release` it, or just end.

    With `number` None the first free slot is taken.
    """

    def __init__(self, servers: str, group: str, number: int | None = None, directory: Path | None = None) -> None:
        self._directory = directory or default_slot_directory()
        self._prefix = f"{group}-{hashlib.sha256(servers.encode()).hexdigest()[:8]}"
        self._file: IO[str] | None = None
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        candidates = range(MAX_SLOTS) if number is None else [number]
        for candidate in candidates:
            if self._try(candidate):
                self.number = candidate
                break
        else:
            raise UserError(self._taken(group, number))
        self.worker_name = f"{group}-{_host()}-{self.number}"

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _path(self, number: int) -> Path:
        return self._directory / f"{self._prefix}-{number}.lock"

    def _try(self, number: int) -> bool:
        file = self._path(number).open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file
        return True

    def _taken(self, group: str, number: int | None) -> str:
        if number is None:
            return f"All {MAX_SLOTS} worker slots of group {group} are taken in {self._directory}."
        holder = self._path(number).read_text(encoding="utf-8").strip() or "another process"
        return (
            f"Worker slot {number} of group {group} is held by process {holder}. "
            "Leave WORKER_SLOT unset to take a free one, or stop that worker."
        )


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()) or "host"
