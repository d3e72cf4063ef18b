"""`stream`: any profile into any sink at any pace. `orders` and `accounts` are this with their own defaults."""

import sys
import time
from collections.abc import Callable, Iterator
from math import inf
from typing import Any

from rich.table import Table

from producers.clock import Clock, SystemClock
from producers.console import progress_bar, table_console, write_json
from producers.pacing import Pacer
from producers.position import first_free_ms
from producers.profiles import Profile
from producers.records import Message, encode, iso_utc
from producers.sinks.base import Sink
from producers.sinks.kafka import KafkaSink, ensure_topic, open_producer
from producers.sinks.lines import LinesSink
from producers.sinks.memory import MemorySink
from twinstream.errors import UserError
from twinstream.settings import Settings

UNPACED_BLOCK = 512
"""Records made before any of them is sent, when there is no rate to hold: a fifth less work than one by one."""

SINKS = ("kafka", "kinesis", "file", "stdout", "parquet", "s3", "memory")


def make_sink(name: str, settings: Settings, target: str | None, profile: Profile, use_aws: bool) -> Sink:
    """The sink of that name; `target` is its topic, stream, file or `bucket/key`.

    Raises:
        UserError: there is no such sink, it needs a target, or it is away.
    """
    if name == "kafka":
        topic = target or profile.topic
        producer = open_producer(settings)
        ensure_topic(settings, topic)
        return KafkaSink(producer, topic)
    if name == "stdout":
        return LinesSink("-")
    if name == "memory":
        return MemorySink()
    if name == "kinesis":
        from producers.kinesis import STREAM, KinesisProducer
        from producers.sinks.kinesis import KinesisSink

        return KinesisSink(KinesisProducer(target or STREAM, endpoint_url=settings.aws_endpoint_url, use_aws=use_aws))
    if name not in SINKS:
        raise UserError(f"There is no sink {name!r}; expected one of {', '.join(SINKS)}.")
    if target is None:
        raise UserError(f"The sink {name} needs --target: {'bucket/key' if name == 's3' else 'the path of a file'}.")
    if name == "file":
        return LinesSink(target)
    if name == "parquet":
        from producers.sinks.parquet import ParquetSink

        return ParquetSink(target)
    return _s3_sink(settings, target, use_aws)


def _s3_sink(settings: Settings, target: str, use_aws: bool) -> Sink:
    from producers.aws import aws_client
    from producers.sinks.s3 import S3Sink

    bucket, slash, key = target.removeprefix("s3://").partition("/")
    if not slash or not key:
        raise UserError(f"--target is {target!r}; expected bucket/key.")
    return S3Sink(aws_client("s3", endpoint_url=settings.aws_endpoint_url, use_aws=use_aws), bucket, key)


def stream(
    profile: Profile,
    sink: Sink,
    *,
    count: int | None = None,
    per_second: float = 0.0,
    duration: float | None = None,
    not_before_ms: int = 0,
    clock: Clock | None = None,
    on_sent: Callable[[int], None] | None = None,
) -> int:
    """Send what happens now, until `count`, `duration` (seconds) or Ctrl-C; return how many were handed over.

    The sink is flushed and closed in any case.
    """
    clock = clock or SystemClock()
    record, send, key_field = profile.record, sink.send, profile.key_field
    sent = 0
    try:
        for block in _blocks(clock, count, per_second, duration):
            time_ms = max(not_before_ms, clock.now_ms())
            messages = [Message((made := record(time_ms))[key_field], encode(made)) for _ in range(block)]
            for message in messages:
                send(message)
                sent += 1
            if on_sent is not None:
                on_sent(sent)
    except KeyboardInterrupt:
        """What was sent is flushed below and counted."""
    finally:
        sink.close()
    if on_sent is not None:
        on_sent(sent)
    return sent


def _blocks(clock: Clock, count: int | None, per_second: float, duration: float | None) -> Iterator[int]:
    """How many records are due now, again and again: one at a rate, a block of them without."""
    pacer = Pacer(clock, per_second)
    deadline = inf if duration is None else clock.monotonic() + duration
    pacer.warn_if_hardly_any(deadline)
    most = 1 if per_second > 0 else UNPACED_BLOCK
    left = inf if count is None else count
    while left > 0 and pacer.wait(deadline):
        block = int(min(most, left))
        left -= block
        yield block


def run(
    settings: Settings,
    profile: Profile,
    *,
    sink_name: str,
    target: str | None,
    count: int | None,
    per_second: float,
    duration: float | None,
    use_aws: bool = False,
    json_target: str | None = None,
) -> dict[str, Any]:
    """`stream` with a progress bar and a summary."""
    clock = SystemClock()
    sink = make_sink(sink_name, settings, target, profile, use_aws)
    floor_ms = 0
    if isinstance(sink, KafkaSink):
        floor_ms = first_free_ms(settings, sink.topic, profile.topic, clock.now_ms())
    started = time.monotonic()
    on_terminal = sink_name == "stdout" and sys.stdout.isatty()
    with progress_bar(profile.name, count, shown=not on_terminal) as advance:
        stream(
            profile,
            sink,
            count=count,
            per_second=per_second,
            duration=duration,
            not_before_ms=floor_ms,
            clock=clock,
            on_sent=lambda sent: advance(sent, sent / max(1e-9, time.monotonic() - started)),
        )
    return summarise(sink.delivery.as_dict(), time.monotonic() - started, json_target, quiet=sink_name == "stdout")


def summarise(
    counts: dict[str, Any], seconds: float, json_target: str | None = None, *, quiet: bool = False
) -> dict[str, Any]:
    """Show and return the final figures of a stream; failures are an error.

    Args:
        counts: `sent` and `failed` (or `messages_sent` and `messages_failed`), and whatever else is to be shown.
        seconds: how long it took.
        json_target: where to write them, too.
        quiet: whether standard output belongs to the records.
    """
    sent = counts.get("sent", counts.get("messages_sent", 0))
    failed = counts.get("failed", counts.get("messages_failed", 0))
    figures = counts | {"seconds": round(seconds, 3), "records_per_second": round(sent / max(1e-9, seconds), 1)}
    if json_target is not None:
        write_json(json_target, figures)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for name, value in (figures | _readable_time(counts)).items():
        table.add_row(name.replace("_", " "), f"{value:,}" if isinstance(value, int | float) else str(value))
    table_console("-" if quiet else json_target).print(table)
    if failed:
        raise UserError(f"{failed} records were not delivered. The log says why.")
    return figures


def _readable_time(counts: dict[str, Any]) -> dict[str, str]:
    last = counts.get("last_send_time")
    return {"last_send_time": iso_utc(int(last * 1000))} if last else {}
