"""JSON lines in a file or on standard output."""

import sys
from pathlib import Path
from typing import BinaryIO

from producers.records import Message
from producers.sinks.base import Delivery
from twinstream.files import told_if_unwritable


class LinesSink:
    """Writes each value as one line; `-` is standard output.

    Raises:
        UserError: on any call, when the file cannot be written.
    """

    def __init__(self, path: str) -> None:
        self.delivery = Delivery()
        self._path = None if path == "-" else Path(path)
        if self._path is None:
            self._file: BinaryIO = sys.stdout.buffer
            return
        with told_if_unwritable(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb")

    def send(self, message: Message) -> None:
        """Write one line."""
        line = (message.value or b"null") + b"\n"
        if self._path is None:
            self._file.write(line)
        else:
            with told_if_unwritable(self._path):
                self._file.write(line)
        self.delivery.sent += 1
        self.delivery.bytes_sent += len(line)

    def flush(self) -> None:
        """Hand everything to the operating system."""
        if self._path is None:
            self._file.flush()
        else:
            with told_if_unwritable(self._path):
                self._file.flush()

    def close(self) -> None:
        """Flush, and close the file if it is one."""
        if self._path is None:
            self._file.flush()
        else:
            with told_if_unwritable(self._path):
                self._file.close()
