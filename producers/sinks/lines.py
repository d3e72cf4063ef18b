"""JSON lines in a file or on standard output."""

import sys
from pathlib import Path
from typing import BinaryIO

from producers.records import Message
from producers.sinks.base import Delivery
from twinstream.errors import UserError


class LinesSink:
    """Writes each value as one line; `-` is standard output."""

    def __init__(self, path: str) -> None:
        self.delivery = Delivery()
        self._is_stdout = path == "-"
        if self._is_stdout:
            self._file: BinaryIO = sys.stdout.buffer
            return
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "wb")  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise UserError(f"{path} cannot be written ({error.strerror}). Choose another file.") from None

    def send(self, message: Message) -> None:
        """Write one line."""
        line = (message.value or b"null") + b"\n"
        self._file.write(line)
        self.delivery.sent += 1
        self.delivery.bytes_sent += len(line)

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Flush, and close the file if it is one."""
        if self._file.closed:
            return
        self._file.flush()
        if not self._is_stdout:
            self._file.close()
