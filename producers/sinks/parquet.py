"""A Parquet file as a sink, for records made one by one; `producers.parquet` makes large ones faster."""

from io import BytesIO
from pathlib import Path

import polars as pl

from producers.records import Message
from producers.sinks.base import Delivery
from twinstream.files import told_if_unwritable
from twinstream.parquet import write_parquet


class ParquetSink:
    """Keeps the messages and writes them as one file when closed."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.delivery = Delivery()
        self._lines: list[bytes] = []

    def send(self, message: Message) -> None:
        """Keep the message."""
        if message.value is not None:
            self._lines.append(message.value)
            self.delivery.sent += 1
            self.delivery.bytes_sent += len(message.value)

    def flush(self) -> None:
        """Nothing to do before the end: a Parquet file is written as a whole."""

    def close(self) -> None:
        """Write the file, if there is anything to write."""
        if self._lines:
            frame = pl.read_ndjson(BytesIO(b"\n".join(self._lines)), infer_schema_length=None)
            with told_if_unwritable(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                write_parquet(frame, self.path, compression="snappy")
            self._lines = []
