"""`seed`: transactions, orders and clicks into Kafka, ending now, with a few bad records of every kind."""

import time
from typing import Any

from rich.table import Table

from producers.clock import SystemClock
from producers.console import progress_bar, table_console, write_json
from producers.position import newest_event_ms
from producers.records import iso_utc, parse_ms
from producers.seeding.bad_records import REASONS
from producers.seeding.plan import Span, decide_span
from producers.seeding.seeder import SHARES, SeedPlan, TopicTally, describe, new_tallies, seed_messages
from producers.sinks.kafka import KafkaSink, ensure_topic, open_producer
from twinstream.errors import UserError
from twinstream.settings import Settings
from twinstream.terminal import Terminal, counts_table

_TOGETHER = ("orders", "clickstream")
"""Topics that share a span, since the clicks of one lead to the orders of the other."""


def seed(
    settings: Settings,
    *,
    count: int = 10_000,
    seed: int = 42,
    as_of: str | None = None,
    span_minutes: float = 45.0,
    fraud_ratio: float = 0.03,
    with_bad_records: bool = True,
    json_target: str | None = None,
) -> dict[str, Any]:
    """Seed the three topics and return the figures that `--json` writes.

    Raises:
        UserError: no broker, a topic that is ahead, or a delivery that failed.
    """
    as_of_ms = SystemClock().now_ms() if as_of is None else parse_ms(as_of)
    producer = open_producer(settings, {"linger_ms": 20, "compression_type": None})
    try:
        for topic in SHARES:
            ensure_topic(settings, topic)
        newest = {topic: newest_event_ms(settings, topic) for topic in SHARES}
        plan = SeedPlan(
            seed=seed,
            count=count,
            spans=_spans(newest, as_of_ms, int(span_minutes * 60_000), as_of is not None),
            fraud_ratio=fraud_ratio,
            with_bad_records=with_bad_records,
            ends_now=as_of is None,
            max_record_bytes=settings.max_record_bytes,
            lateness_ms=settings.lateness_ms,
        )
        tallies = new_tallies()
        started = time.monotonic()
        sinks = {topic: KafkaSink(producer, topic) for topic in SHARES}
        _send(plan, sinks, tallies)
        seconds = time.monotonic() - started
    finally:
        producer.close()
    failed = sum(sink.delivery.failed for sink in sinks.values())
    records = sum(tally.records for tally in tallies.values())
    figures = describe(plan, tallies) | {
        "as_of": iso_utc(as_of_ms),
        "continued_from": {topic: iso_utc(time_ms) for topic, time_ms in newest.items() if time_ms is not None},
        "records": records,
        "failed": failed,
        "seconds": round(seconds, 3),
        "records_per_second": round(records / seconds, 1) if seconds > 0 else None,
    }
    if json_target is not None:
        write_json(json_target, figures)
    _show(table_console(json_target), plan, tallies, figures)
    if failed:
        raise UserError(f"{failed} of {records} records did not reach Kafka. The log says why; seed again.")
    return figures


def _spans(newest: dict[str, int | None], as_of_ms: int, length_ms: int, as_of_given: bool) -> dict[str, Span]:
    both = max((time_ms for topic in _TOGETHER if (time_ms := newest[topic]) is not None), default=None)
    starts = newest | dict.fromkeys(_TOGETHER, both)
    return {topic: decide_span(topic, starts[topic], as_of_ms, length_ms, as_of_given=as_of_given) for topic in SHARES}


def _send(plan: SeedPlan, sinks: dict[str, KafkaSink], tallies: dict[str, TopicTally]) -> None:
    started = time.monotonic()
    with progress_bar("Seeding", plan.count) as advance:
        for number, seeded in enumerate(seed_messages(plan)):
            sinks[seeded.topic].send(seeded.message)
            tallies[seeded.topic].count(seeded)
            if number % 500 == 0:
                advance(number, number / max(1e-9, time.monotonic() - started))
        for sink in sinks.values():
            sink.flush()
        advance(plan.count, plan.count / max(1e-9, time.monotonic() - started))


def _show(console: Terminal, plan: SeedPlan, tallies: dict[str, TopicTally], figures: dict[str, Any]) -> None:
    reasons = [reason for reason in REASONS if any(tally.reasons[reason] for tally in tallies.values())]
    table = counts_table("topic", "events", *reasons, "records")
    for topic, tally in tallies.items():
        bad = [str(tally.reasons[reason]) for reason in reasons]
        table.add_row(topic, f"{tally.events:,}", *bad, f"{tally.records:,}")
    times = Table("topic", "events from", "to", "", box=None, padding=(0, 1, 0, 0))
    for topic, span in plan.spans.items():
        continued = "continued" if topic in figures["continued_from"] else ""
        times.add_row(topic, iso_utc(span.start_ms), iso_utc(span.end_ms), continued)
    console.print(table, times)
    console.tell(
        f"{figures['records']:,} records in {figures['seconds']:.1f} s "
        f"({figures['records_per_second'] or 0:,.0f}/s), seed {plan.seed}, as of {figures['as_of']}",
    )
