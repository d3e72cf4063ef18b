"""The replay of a shard: the live runtimes' results, whatever the batches and however few states are kept."""

from operator import attrgetter

import pytest

from tests.offline.logs import EVERY_GROUP, PARTITIONS, encoded, letters, live, processed, settings, source
from tests.reference import GROUPS
from twinstream.core.dead_letters import decode_dead_letter
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.vectors import FeatureRecord
from twinstream.log.kafka import Record
from twinstream.offline import replay as module
from twinstream.offline.outcome import Outcome
from twinstream.offline.replay import replay, replay_as_known_now
from twinstream.testing import START_MS

every_group = pytest.mark.parametrize("group", EVERY_GROUP, ids=lambda group: group.name)
TRANSACTION = GROUPS["transaction"]
APPENDED_MS = START_MS + 200_000
"""When Kafka got the payments: no clock of theirs is ahead of it."""


def payment(number: int, at_ms: int, card: str = "c1") -> Record:
    value = b'{"transaction_id": "t%d", "event_time": %d, "card_id": "%s", "amount": 5, "currency": "EUR"}'
    return Record("transactions", 0, number, APPENDED_MS, None, value % (number, START_MS + at_ms, card.encode()))


def counts(records: list[FeatureRecord]) -> list[tuple[int, int]]:
    return [(record.event_time - START_MS, record.features.txn_count) for record in records]


@every_group
@pytest.mark.parametrize("partition", range(PARTITIONS))
def test_a_replay_is_the_live_log_byte_for_byte(group: FeatureGroup, partition: int) -> None:
    records: list[FeatureRecord] = []
    replay(group, source(processed(), group, partition), settings(), records.extend)
    assert encoded(records) == live(processed(), group, partition)


@pytest.mark.parametrize("most_states", [0, 40])
def test_sweeping_states_changes_nothing(monkeypatch: pytest.MonkeyPatch, most_states: int) -> None:
    monkeypatch.setattr(module, "MOST_STATES", most_states)
    monkeypatch.setattr(module, "BATCH_RECORDS", 50)
    records: list[FeatureRecord] = []
    replay(TRANSACTION, source(processed(), TRANSACTION, 0), settings(), records.extend)
    assert encoded(records) == live(processed(), TRANSACTION, 0)


def test_a_state_is_not_swept_by_what_comes_after_in_its_own_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_STATES", 0)
    monkeypatch.setattr(module, "BATCH_RECORDS", 2)
    log = [payment(0, 0), payment(1, 1_000, "c2"), payment(2, 2_000), payment(3, 200_000, "c2")]
    records: list[FeatureRecord] = []
    replay(TRANSACTION, log, settings(), records.extend)
    assert counts(records)[2] == (2_000, 2)


def test_everything_that_became_of_the_records_is_counted() -> None:
    total = Outcome()
    for partition in range(PARTITIONS):
        total.add(replay(TRANSACTION, source(processed(), TRANSACTION, partition), settings(), lambda records: None))
    reasons = [decode_dead_letter(letter.value or b"").reason for letter in letters(processed(), "transactions")]
    assert {reason: reasons.count(reason) for reason in reasons} == total.reasons
    assert total.good == sum(len(live(processed(), TRANSACTION, partition)) for partition in range(PARTITIONS))


def test_as_known_then_a_late_event_is_in_no_vector() -> None:
    records: list[FeatureRecord] = []
    replayed = replay(TRANSACTION, [payment(0, 0), payment(1, 40_000), payment(2, 1_000)], settings(), records.extend)
    assert counts(records) == [(0, 1), (40_000, 2)]
    assert replayed.reasons == {"late": 1}


def test_as_known_now_a_late_event_is_where_it_belongs() -> None:
    log = [payment(0, 0), payment(1, 40_000), payment(2, 1_000)]
    records: list[FeatureRecord] = []
    replayed = replay_as_known_now(TRANSACTION, log, settings(), records.extend)
    assert counts(records) == [(0, 1), (1_000, 2), (40_000, 3)]
    assert [record.offset for record in records] == [0, 2, 1]
    assert replayed.good == 3


def test_as_known_now_a_redelivered_event_counts_once() -> None:
    again = payment(0, 0)
    again = Record(again.topic, 0, 2, again.timestamp, None, again.value)
    records: list[FeatureRecord] = []
    replayed = replay_as_known_now(TRANSACTION, [payment(0, 0), payment(1, 40_000), again], settings(), records.extend)
    assert counts(records) == [(0, 1), (40_000, 2)]
    assert replayed.reasons == {"duplicate": 1}


def test_as_known_now_equals_a_replay_of_the_same_events_in_order_of_time() -> None:
    log = source(processed(), TRANSACTION, 0)
    known_now: list[FeatureRecord] = []
    replay_as_known_now(TRANSACTION, log, settings(), known_now.extend)
    at = {record.offset: record.event_time for record in known_now}
    in_order: list[FeatureRecord] = []
    kept = sorted(
        (record for record in log if record.offset in at), key=lambda record: (at[record.offset], record.offset)
    )
    renumbered = [Record(r.topic, r.partition, place, r.timestamp, r.key, r.value) for place, r in enumerate(kept)]
    replay(TRANSACTION, renumbered, settings(), in_order.extend)
    assert [record.features for record in in_order] == [record.features for record in known_now]
    assert len(known_now) > len(live(processed(), TRANSACTION, 0))


def test_as_known_now_sweeping_states_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    log = source(processed(), TRANSACTION, 0)
    plain: list[FeatureRecord] = []
    replay_as_known_now(TRANSACTION, log, settings(), plain.extend)
    monkeypatch.setattr(module, "MOST_STATES", 0)
    monkeypatch.setattr(module, "BATCH_RECORDS", 20)
    swept: list[FeatureRecord] = []
    replay_as_known_now(TRANSACTION, log, settings(), swept.extend)
    assert encoded(swept) == encoded(plain)
    assert sorted(plain, key=attrgetter("event_time", "offset")) == plain
