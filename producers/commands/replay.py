"""`replay`: a generated Parquet file into Kafka, as fast as possible or at a multiple of its own time."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from features.events import Transaction
from producers.clock import Clock, SystemClock
from producers.console import progress_bar
from producers.position import newest_event_ms
from producers.records import Message, iso_utc
from producers.sinks.kafka import KafkaSink, ensure_topic, open_producer
from twinstream.errors import UserError
from twinstream.parquet import check_times, event_times, read_records
from twinstream.settings import Settings
from twinstream.terminal import Terminal

BATCH_ROWS = 20_000
_TIME = "__time"


def parse_speed(text: str) -> float | None:
    """How many times faster than it happened; None is as fast as possible.

    >>> parse_speed("60x"), parse_speed("max")
    (60.0, None)
    """
    if text == "max":
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)x?", text)
    if match is None or float(match[1]) <= 0:
        raise UserError(f"--speed is {text!r}; expected a multiple such as 60x, or max.")
    return float(match[1])


def fresh_topic(path: Path, now_ms: int) -> str:
    """A topic of a file's own; what Kafka does not take in a name is left out.

    >>> fresh_topic(Path("outputs/São Paulo (1).parquet"), 1_772_366_400_000)
    'replay-S-o-Paulo-1--1772366400000'
    """
    return f"replay-{re.sub(r'[^A-Za-z0-9._-]+', '-', path.stem)[:200]}-{now_ms}"


def replay(
    settings: Settings,
    path: Path,
    *,
    speed: float | None,
    topic: str | None = None,
    limit: int | None = None,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Send a file's rows in their order, keyed by card, into a fresh topic unless one is named; return the figures."""
    clock = clock or SystemClock()
    frame = read_payments(path, limit)
    producer = open_producer(settings)
    topic = topic or fresh_topic(path, clock.now_ms())
    sink = KafkaSink(producer, topic)
    started = clock.monotonic()
    try:
        ensure_topic(settings, topic)
        _warn_if_ahead(settings, topic, frame)
        with progress_bar("Replay", frame.height) as advance:
            for number, message in enumerate(messages(frame, speed, clock), start=1):
                sink.send(message)
                if number % 1_000 == 0:
                    advance(number, number / max(1e-9, clock.monotonic() - started))
            sink.flush()
            advance(sink.delivery.sent, sink.delivery.sent / max(1e-9, clock.monotonic() - started))
    except KeyboardInterrupt:
        """What was sent is flushed and counted below."""
    finally:
        sink.close()
    seconds = clock.monotonic() - started
    figures = {"topic": topic, "sent": sink.delivery.sent, "failed": sink.delivery.failed, "seconds": round(seconds, 3)}
    Terminal().tell(
        f"{sink.delivery.sent:,} records to {topic} in {seconds:.1f} s "
        f"({sink.delivery.sent / max(1e-9, seconds):,.0f}/s), {sink.delivery.failed} failed",
    )
    if sink.delivery.failed:
        raise UserError(f"{sink.delivery.failed} records did not reach Kafka. The log says why; replay again.")
    return figures


def read_payments(path: Path, limit: int | None) -> pl.DataFrame:
    """The rows as records, times of a zone in UTC, and beside them the same times as epoch ms.

    Raises:
        UserError: it is no file of card transactions.
    """
    frame = read_records(path, ("card_id",), Transaction.__struct_fields__, limit)
    times = event_times(frame, "event_time", path)
    check_times(frame, "event_time", times, path)
    if frame.schema["event_time"].is_temporal():
        frame = frame.with_columns(times.cast(pl.Datetime("ms")).dt.to_string("%Y-%m-%dT%H:%M:%S%.3fZ"))
    return frame.with_columns(times.alias(_TIME))


def _warn_if_ahead(settings: Settings, topic: str, frame: pl.DataFrame) -> None:
    newest_ms = newest_event_ms(settings, topic, "transactions")
    first_ms = frame[_TIME].min()
    if newest_ms is not None and isinstance(first_ms, int) and first_ms < newest_ms:
        Terminal(stderr=True).tell(
            f"warning: the topic {topic} is ahead: its newest event is of {iso_utc(newest_ms)}, the file begins at "
            f"{iso_utc(first_ms)}. Older events will be late; leave --topic out for a fresh one.",
        )


def messages(frame: pl.DataFrame, speed: float | None, clock: Clock) -> Iterator[Message]:
    """Messages in the order of the rows, each when its time has come."""
    started = clock.monotonic()
    first_ms: int | None = None
    as_json = pl.struct(pl.exclude(_TIME)).struct.json_encode()
    for batch in frame.iter_slices(BATCH_ROWS):
        times, keys = batch[_TIME].to_list(), batch["card_id"].to_list()
        values = batch.select(as_json).to_series().to_list()
        first_ms = times[0] if first_ms is None else first_ms
        for time_ms, key, value in zip(times, keys, values, strict=True):
            if speed is not None and time_ms is not None and first_ms is not None:
                wait = started + (time_ms - first_ms) / 1000 / speed - clock.monotonic()
                if wait > 0:
                    clock.sleep(wait)
            yield Message(key, value.encode())
