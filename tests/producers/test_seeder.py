"""The seed as a sequence of messages, judged by the feature engine's own decoding and lateness rule; no broker."""

from collections import Counter
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.records import Message, iso_utc
from producers.seeding.arrivals import arrivals
from producers.seeding.bad_records import REASONS
from producers.seeding.plan import MAX_DELAY_MS, MOST_AHEAD_MS, Span, decide_span
from producers.seeding.seeder import SHARES, Seeded, SeedPlan, describe, new_tallies, seed_messages
from tests.producers.conftest import START_MS
from tests.properties import tries
from tests.reference import BY_TOPIC
from twinstream.core.lateness import LatenessRule
from twinstream.core.rejection import Rejected
from twinstream.errors import UserError
from twinstream.settings import Settings

LATENESS_MS, SKEW_MS, MAX_BYTES = 30_000, 30_000, 1_048_576
HOUR = Span(START_MS, START_MS + 3_600_000)


def spans(span: Span) -> dict[str, Span]:
    return dict.fromkeys(SHARES, span)


def plan(count: int = 2_000, seed: int = 1, span: Span = HOUR, *, bad: bool = True, now: bool = True) -> SeedPlan:
    return SeedPlan(seed=seed, count=count, spans=spans(span), with_bad_records=bad, ends_now=now)


class Judge:
    """What becomes of a topic's messages when all partitions are one, the strictest case for lateness."""

    def __init__(self, topic: str, timestamp_ms: int) -> None:
        self._decode = BY_TOPIC[topic].decode
        self._rule = LatenessRule(LATENESS_MS, SKEW_MS)
        self._seen: set[tuple[str, str, int]] = set()
        self.timestamp_ms = timestamp_ms

    def reason(self, message: Message) -> str | None:
        value = message.value
        if value is not None and len(value) > MAX_BYTES:
            return "oversized"
        try:
            entity, event = self._decode(value, 0)
            self._rule.observe(event.time_ms, self.timestamp_ms)
        except Rejected as rejected:
            return rejected.reason
        if (entity, event.id, event.time_ms) in self._seen:
            return "duplicate"
        self._seen.add((entity, event.id, event.time_ms))
        return None


def judge(messages: Iterable[Seeded], timestamp_ms: int) -> dict[str, Counter[str | None]]:
    judges = {topic: Judge(topic, timestamp_ms) for topic in SHARES}
    found: dict[str, Counter[str | None]] = {topic: Counter() for topic in SHARES}
    for topic, message, bad in messages:
        reason = judges[topic].reason(message)
        assert reason == (bad.reason if bad else None), (bad, message.value and message.value[:200])
        found[topic][reason] += 1
    return found


def test_every_injected_record_is_set_aside_for_its_reason_and_no_other_record_is() -> None:
    found = judge(seed_messages(plan()), HOUR.end_ms)
    for topic, share in SHARES.items():
        assert found[topic][None] == pytest.approx(2_000 * share, abs=1)
        assert set(REASONS) <= set(found[topic])


@tries(25)
@given(st.integers(0, 2**31), st.integers(1, 400), st.sampled_from([1_000, 20_000, 2_700_000, 172_800_000]))
def test_whatever_the_seed_count_and_span_only_injected_records_are_bad(seed: int, count: int, length: int) -> None:
    span = Span(START_MS, START_MS + length)
    messages = (
        each for each in seed_messages(plan(count, seed, span)) if each.bad is None or each.bad.kind != "ten_megabytes"
    )
    judge(messages, span.end_ms)


def test_seeds_that_follow_each_other_within_seconds_are_never_late_nor_future() -> None:
    clock_ms, newest_ms = START_MS, None
    judges = {topic: Judge(topic, clock_ms) for topic in SHARES}
    for number in range(6):
        span = decide_span("transactions", newest_ms, clock_ms, 2_700_000, as_of_given=False)
        for topic, message, bad in seed_messages(plan(600, seed=42, span=span)):
            judges[topic].timestamp_ms = clock_ms
            assert judges[topic].reason(message) == (bad.reason if bad else None)
        newest_ms = span.end_ms
        clock_ms += 300 if number % 2 else 4_000


def test_same_plan_gives_the_same_bytes_and_another_span_gives_others() -> None:
    first, again = list(seed_messages(plan(300))), list(seed_messages(plan(300)))
    assert first == again
    later = seed_messages(plan(300, span=Span(HOUR.end_ms + 1, HOUR.end_ms + 60_000)))
    ids = {message.value for _, message, bad in first if bad is None}
    assert not ids & {message.value for _, message, bad in later if bad is None}


def test_cardholders_stay_who_they_are_from_seed_to_seed() -> None:
    def homes(span: Span, count: int) -> dict[str, str]:
        found = {}
        for topic, message, bad in seed_messages(plan(count, span=span, bad=False)):
            if topic == "transactions" and bad is None and message.value and message.key:
                brand = message.value.split(b'"card_brand":"')[1].split(b'"')[0]
                found[message.key] = brand.decode()
        return found

    one, other = homes(HOUR, 2_000), homes(Span(HOUR.end_ms, HOUR.end_ms + 20_000), 700)
    shared = set(one) & set(other)
    assert len(shared) > 20
    assert all(one[card] == other[card] for card in shared)


def test_tally_counts_each_reason_and_digest_tells_seeds_apart() -> None:
    digests = set()
    for seed in (1, 2):
        made = plan(300, seed=seed)
        tallies = new_tallies()
        for each in seed_messages(made):
            tallies[each.topic].count(each)
        figures = describe(made, tallies)
        digests.add(figures["topics"]["orders"]["sha256"])
        assert figures["topics"]["transactions"]["bad"] == {
            "oversized": 3, "malformed": 9, "schema": 6, "future": 3, "late": 3, "duplicate": 3
        }  # fmt: skip
        assert sum(topic["events"] for topic in figures["topics"].values()) == 300
    assert len(digests) == 2


def test_seed_without_bad_records_has_none() -> None:
    assert all(each.bad is None for each in seed_messages(plan(500, bad=False)))


def test_bytes_of_a_given_as_of_do_not_depend_on_the_clock() -> None:
    kinds = {each.bad.kind for each in seed_messages(plan(300, now=False)) if each.bad}
    assert "ten_minutes_ahead" not in kinds
    assert "year_2999" in kinds


@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=300), st.integers(0, 2**31))
def test_a_delayed_record_is_never_further_behind_than_the_longest_delay(pauses: list[int], seed: int) -> None:
    times, now = [], START_MS
    for pause in pauses:
        now += pause
        times.append((now, {"at": now}))
    newest = 0
    seen = []
    for arrival in arrivals(times, MAX_DELAY_MS, Random(seed)):
        assert newest - arrival.time_ms <= MAX_DELAY_MS
        newest = max(newest, arrival.time_ms)
        seen.append(arrival.record["at"])
    assert sorted(seen) == [time_ms for time_ms, _ in times]


def test_first_seed_fills_the_length_before_its_end() -> None:
    assert decide_span("orders", None, 10_000_000, 1_000_000, as_of_given=False) == (9_000_000, 10_000_000)
    assert decide_span("orders", 5, 10_000_000, 1_000_000, as_of_given=True) == (9_000_000, 10_000_000)


def test_later_seed_begins_after_the_newest_event() -> None:
    assert decide_span("orders", 9_500_000, 10_000_000, 1_000_000, as_of_given=False) == (9_500_001, 10_000_000)


def test_seed_at_the_present_takes_the_next_second() -> None:
    assert decide_span("orders", 10_000_400, 10_000_000, 1_000_000, as_of_given=False) == (10_000_401, 10_001_400)


def test_a_seed_never_ends_beyond_the_skew_that_the_engine_allows() -> None:
    """Its events would be `future`. A topic can be that far ahead: one event of a fast clock, within the skew."""
    for ahead_ms in range(0, MOST_AHEAD_MS + 1, 500):
        span = decide_span("orders", START_MS + ahead_ms, START_MS, 1_000, as_of_given=False)
        assert span.end_ms - START_MS <= Settings().max_future_skew_ms
    with pytest.raises(UserError, match=r"Wait, or use a fresh topic\.$"):
        decide_span("orders", START_MS + MOST_AHEAD_MS + 1, START_MS, 1_000, as_of_given=False)


def test_topic_ahead_of_the_as_of_is_said_in_one_line() -> None:
    with pytest.raises(UserError, match=r"The topic orders is ahead: .* Choose a later --as-of, or none\.$"):
        decide_span("orders", START_MS, START_MS - 1, 1_000, as_of_given=True)


def test_topic_far_ahead_of_the_clock_is_said_in_one_line() -> None:
    with pytest.raises(UserError, match=rf"newest event is of {iso_utc(START_MS + 90_000)}.* Wait, or use a fresh"):
        decide_span("orders", START_MS + 90_000, START_MS, 1_000, as_of_given=False)
