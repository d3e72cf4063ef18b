"""`kinesis` and `setup-kinesis`: card transactions into a Kinesis stream."""

import sys
from typing import Any

import structlog
from structlog.typing import EventDict

from producers.aws import aws_client, place_of
from producers.clock import Clock, SystemClock
from producers.console import Bar, progress_bar, write_json
from producers.generator import TransactionGenerator
from producers.kinesis import KinesisProducer, create_stream
from twinstream.errors import UserError
from twinstream.terminal import Terminal, plain


class _Lines:
    """Prints whole lines on standard output, above the progress bar where both are on one terminal."""

    def __init__(self) -> None:
        self.bar: Bar | None = None

    def info(self, line: str) -> None:
        """Print one."""
        if self.bar is not None:
            self.bar.clear()
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _event_first(logger: object, method: str, fields: EventDict) -> EventDict:
    return {"event": fields.pop("event"), **fields}


def json_events(lines: _Lines) -> Any:
    """A logger of JSON lines, also on a terminal: what scripts read."""
    return structlog.wrap_logger(
        lines,
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _event_first,
            structlog.processors.JSONRenderer(),
        ],
    )


def setup_kinesis(stream_name: str, shards: int, *, endpoint_url: str, use_aws: bool) -> None:
    """Create the stream if it is not there."""
    client = aws_client("kinesis", endpoint_url=endpoint_url, use_aws=use_aws)
    created = create_stream(stream_name, shards=shards, client=client)
    Terminal().say(
        plain(f"Stream {stream_name} {'created' if created else 'was there already'} at {place_of(client)}.")
    )


def send_to_kinesis(
    producer: KinesisProducer,
    *,
    num_transactions: int = 100,
    batch_size: int = 10,
    fraud_ratio: float = 0.05,
    seed: int | None = None,
    metrics_file: str | None = None,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Generate and send transactions batch by batch, with the log events of the contract; return the final figures.

    Ctrl-C ends it after the running batch with the same final event.
    """
    clock = clock or SystemClock()
    lines = _Lines()
    events = json_events(lines)
    run = clock.now_ms() if seed is None else ""
    generator = TransactionGenerator(fraud_ratio, 42 if seed is None else seed, clock=clock, run=run)
    events.info(
        "Starting fraud transaction producer", stream_name=producer.stream_name, num_transactions=num_transactions
    )
    started = clock.monotonic()
    generated = frauds = batches = 0
    interrupted = False
    try:
        with progress_bar("Kinesis", num_transactions, between_lines=True) as lines.bar:
            while generated < num_transactions:
                batch = generator.generate_batch(min(batch_size, num_transactions - generated))
                batches += 1
                generated += len(batch)
                fraud_count = sum(bool(transaction["label_fraud"]) for transaction in batch)
                frauds += fraud_count
                events.info(
                    "Generated batch",
                    batch_number=batches,
                    fraud_count=fraud_count,
                    fraud_percentage=round(100 * fraud_count / len(batch), 2),
                )
                result = producer.put_records_batch(batch)
                events.info(
                    "Batch sent to Kinesis",
                    total_sent=producer.records_sent,
                    progress_pct=round(100 * generated / num_transactions, 2),
                    successes=result.successes,
                    failures=result.failures,
                )
                lines.bar(generated, generated / max(1e-9, clock.monotonic() - started))
    except KeyboardInterrupt:
        interrupted = True
    lines.bar = None  # it has ended with a line of its own
    seconds = clock.monotonic() - started
    figures = {
        "total_records": producer.records_sent,
        "records_per_second": round(producer.records_sent / seconds, 2) if seconds > 0 else None,
        "failures": producer.records_failed,
        "fraud_count": frauds,
        "batches": batches,
        "duration_seconds": round(seconds, 3),
        "interrupted": interrupted,
    }
    events.info("Producer finished", **figures)
    if metrics_file is not None:
        write_json(metrics_file, {"stream_name": producer.stream_name, **figures})
    if producer.records_failed:
        raise UserError(
            f"{producer.records_failed} records were not delivered. They are in {producer.failed_file}, "
            "and the log says why."
        )
    return figures
