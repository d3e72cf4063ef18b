"""The whole seed as one sequence of messages: three topics interleaved by arrival, bad records in between."""

import hashlib
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import merge
from random import Random
from typing import Any, NamedTuple

from producers.pacing import event_times
from producers.profiles import Profile
from producers.profiles.cards import CardTransactions
from producers.profiles.clicks import Clicks
from producers.profiles.orders import Basket, Orders
from producers.records import Message, encode, iso_utc
from producers.schema import load_schema
from producers.seeding.arrivals import Arrival, arrivals
from producers.seeding.bad_records import REASONS, BadRecord, Scene, bad_message, bad_records_for
from producers.seeding.plan import MAX_DELAY_MS, Span

SHARES = {"transactions": 0.55, "orders": 0.10, "clickstream": 0.35}
"""How a seed's events spread over the topics."""

_FIVE_MINUTES_MS = 300_000


@dataclass(frozen=True)
class SeedPlan:
    """Everything that decides a seed's bytes."""

    seed: int
    count: int
    spans: Mapping[str, Span]
    fraud_ratio: float = 0.03
    with_bad_records: bool = True
    ends_now: bool = False
    """Whether the seed ends at the present, so that a clock ten minutes fast is a future one."""
    max_record_bytes: int = 1_048_576
    lateness_ms: int = 30_000

    @property
    def counts(self) -> dict[str, int]:
        """Good events by topic."""
        counts = {topic: int(self.count * share) for topic, share in SHARES.items()}
        counts["clickstream"] += self.count - sum(counts.values())
        return counts


class Seeded(NamedTuple):
    """One message of a seed; `bad` tells what is wrong with it, if anything."""

    topic: str
    message: Message
    bad: BadRecord | None


@dataclass
class TopicTally:
    """What went into one topic."""

    events: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    digest: Any = field(default_factory=hashlib.sha256)

    def count(self, seeded: Seeded) -> None:
        """Count one message."""
        for part in seeded.message:
            data = part.encode() if isinstance(part, str) else part
            self.digest.update(b"-" if data is None else b"%d:%b" % (len(data), data))
        if seeded.bad is None:
            self.events += 1
        else:
            self.reasons[seeded.bad.reason] += 1
            self.kinds[seeded.bad.kind] += 1

    @property
    def records(self) -> int:
        """Everything, good and bad."""
        return self.events + sum(self.reasons.values())

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "records": self.records,
            "events": self.events,
            "bad": {reason: self.reasons[reason] for reason in REASONS},
            "bad_kinds": dict(sorted(self.kinds.items())),
            "sha256": self.digest.hexdigest(),
        }


def seed_messages(plan: SeedPlan) -> Iterator[Seeded]:
    """All messages of the seed, in the order in which they are sent."""
    baskets: deque[Basket] = deque(maxlen=10_000)
    counts, spans = plan.counts, plan.spans
    run = f"{plan.count}/{'/'.join(f'{span.start_ms}-{span.end_ms}' for span in spans.values())}"
    shoppers = _population(counts["orders"] + counts["clickstream"], spans["clickstream"])
    clicks = Clicks(plan.seed, shoppers=shoppers, run=run, baskets=baskets)
    profiles: list[Profile] = [
        CardTransactions(
            plan.seed,
            cards=_population(counts["transactions"], spans["transactions"]),
            fraud_ratio=plan.fraud_ratio,
            run=run,
        ),
        Orders(plan.seed, shoppers=clicks.shoppers, run=run, baskets=baskets),
        clicks,
    ]
    streams = [_with_topic(profile, plan, run) for profile in profiles]
    for _, _, seeded in merge(*streams, key=lambda item: item[:2]):
        yield seeded


def _population(events: int, span: Span) -> int:
    """How many cards or users share the events: each gets about two in five minutes, four to eighteen in all."""
    each = min(18.0, max(4.0, 2 * span.length_ms / _FIVE_MINUTES_MS))
    return max(20, int(events / each))


def _with_topic(profile: Profile, plan: SeedPlan, run: str) -> Iterator[tuple[int, str, Seeded]]:
    """The messages of one topic, with what they are merged by."""
    topic = profile.topic
    count, span = plan.counts[topic], plan.spans[topic]
    random = Random(f"{plan.seed}/{run}/{topic}/times")
    records = ((time_ms, profile.record(time_ms)) for time_ms in event_times(count, *span, random))
    injected = _places(topic, count, plan, random)
    max_delay_ms = min(MAX_DELAY_MS, plan.lateness_ms // 2, span.length_ms // 10)
    waiting: list[BadRecord] = []
    for number, arrival in enumerate(arrivals(records, max_delay_ms, random)):
        message = Message(str(arrival.record[profile.key_field]), encode(arrival.record))
        yield arrival.arrival_ms, topic, Seeded(topic, message, None)
        waiting += injected.pop(number, ())
        if waiting and (not arrival.is_delayed or number == count - 1):
            for bad in waiting:
                scene = _scene(arrival, profile, plan, random)
                yield arrival.arrival_ms, topic, Seeded(topic, bad_message(bad, scene), bad)
            waiting = []


def _places(topic: str, count: int, plan: SeedPlan, random: Random) -> dict[int, list[BadRecord]]:
    """After which arrivals the bad records come: anywhere, but for the last ones, so that good ones follow them."""
    places: dict[int, list[BadRecord]] = {}
    if plan.with_bad_records and count > 0:
        bad_records = bad_records_for(topic, plan.ends_now)
        random.shuffle(bad_records)
        for bad in bad_records:
            places.setdefault(int(random.random() * count * 0.95), []).append(bad)
    return places


def _scene(arrival: Arrival, profile: Profile, plan: SeedPlan, random: Random) -> Scene:
    return Scene(
        record=arrival.record,
        schema=load_schema(profile.schema),
        random=random,
        max_record_bytes=plan.max_record_bytes,
        lateness_ms=plan.lateness_ms,
        as_of_ms=plan.spans[profile.topic].end_ms,
    )


def describe(plan: SeedPlan, tallies: Mapping[str, TopicTally]) -> dict[str, Any]:
    """The seed in figures, for `--json`."""
    topics = {
        topic: tally.as_dict()
        | {"start": iso_utc(plan.spans[topic].start_ms), "end": iso_utc(plan.spans[topic].end_ms)}
        for topic, tally in tallies.items()
    }
    return {"seed": plan.seed, "count": plan.count, "topics": topics}


def new_tallies() -> dict[str, TopicTally]:
    """An empty tally for each topic."""
    return {topic: TopicTally() for topic in SHARES}
