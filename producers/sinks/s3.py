"""JSON lines as one object in S3."""

import tempfile
from pathlib import Path
from typing import Any

from producers.records import Message
from producers.sinks.base import Delivery
from producers.sinks.lines import LinesSink
from producers.upload import put_file


class S3Sink:
    """Gathers lines in a temporary file and uploads it when closed."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client, self._bucket, self._key = client, bucket, key
        self._folder = tempfile.TemporaryDirectory()
        self._file = Path(self._folder.name) / "lines.jsonl"
        self._lines: LinesSink | None = LinesSink(str(self._file))
        self.delivery: Delivery = self._lines.delivery

    def send(self, message: Message) -> None:
        """Write one line."""
        if self._lines is not None:
            self._lines.send(message)

    def flush(self) -> None:
        """Nothing to do before the end: an object is written as a whole."""

    def close(self) -> None:
        """Upload; safe to call twice."""
        if self._lines is not None:
            self._lines.close()
            self._lines = None
            put_file(self._client, self._file, self._bucket, self._key)
            self._folder.cleanup()
