"""Reading at a moment: what is stored answers exactly as the state itself would."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.features.events import LATENESS_MS, MIDDAY_MS, WINDOW_MS, as_dict, payment
from tests.online.conformance.lab import Lab
from tests.online.worker import TRANSACTION, WINDOW, Worker, change, first
from tests.properties import tries
from tests.reference import REGISTRY
from twinstream.core.rejection import Rejected
from twinstream.core.state import EntityState, WindowConfig
from twinstream.errors import UserError
from twinstream.online.contract import OnlineStore
from twinstream.online.reader import Reader, Status


@pytest.fixture
def reader(store: OnlineStore) -> Reader:
    return Reader(store, REGISTRY, WINDOW)


def test_an_entity_without_a_state_reads_as_none(reader: Reader) -> None:
    assert reader.read("transaction", "nobody", MIDDAY_MS) is None


def test_a_reading_tells_where_it_comes_from(worker: Worker, reader: Reader) -> None:
    worker.write(first(offset=7))

    reading = reader.read("transaction", "card", MIDDAY_MS + 1)

    assert reading is not None
    assert (reading.topic, reading.partition, reading.offset) == ("transactions", 0, 7)
    assert (reading.event_time_ms, reading.at_ms) == (MIDDAY_MS, MIDDAY_MS + 1)


def test_many_are_read_at_one_moment_each_with_what_came_of_it(worker: Worker, reader: Reader) -> None:
    worker.write(first("card", 7), first("other", 9))

    readings = reader.read_many([("order", "card"), ("transaction", "other"), ("transaction", "card")], MIDDAY_MS)

    assert [(each.group.name, each.entity, each.at_ms) for each in readings] == [
        ("order", "card", MIDDAY_MS),
        ("transaction", "other", MIDDAY_MS),
        ("transaction", "card", MIDDAY_MS),
    ]
    assert [(each.status, each.offset) for each in readings] == [
        (Status.ABSENT, None),
        (Status.PRESENT, 9),
        (Status.PRESENT, 7),
    ]
    assert readings[2] == reader.read("transaction", "card", MIDDAY_MS)


@pytest.mark.parametrize(
    ("after_ms", "count"), [(-1, 0), (0, 1), (1, 1), (WINDOW_MS - 1, 1), (WINDOW_MS, 0), (10 * WINDOW_MS, 0)]
)
def test_an_idle_entity_is_read_as_time_goes_by(worker: Worker, reader: Reader, after_ms: int, count: int) -> None:
    worker.write(first())

    reading = reader.read("transaction", "card", MIDDAY_MS + after_ms)

    assert reading is not None
    assert as_dict(reading.vector)["txn_count"] == count


def test_a_moment_whose_events_are_forgotten_is_refused_with_the_earliest_one(worker: Worker, reader: Reader) -> None:
    worker.write(first())
    earliest_ms = MIDDAY_MS - LATENESS_MS

    assert reader.read("transaction", "card", earliest_ms) is not None
    with pytest.raises(UserError, match="earliest moment is 2026-03-02T11:59:30.000Z"):
        reader.read("transaction", "card", earliest_ms - 1)


def test_a_reader_of_longer_windows_than_were_kept_is_refused_rather_than_wrong(
    worker: Worker, store: OnlineStore
) -> None:
    worker.write(first())

    with pytest.raises(UserError, match="not kept any more"):
        Reader(store, REGISTRY, WindowConfig(2 * WINDOW_MS)).read("transaction", "card", MIDDAY_MS)


def test_features_without_a_state_read_as_none(lab: Lab, worker: Worker, reader: Reader) -> None:
    worker.write(first())
    lab.lose_state(worker.claim.partition, "card")

    assert reader.read("transaction", "card", MIDDAY_MS) is None


def test_of_two_partitions_the_one_that_shows_is_read(reader: Reader, new_worker: Callable[..., Worker]) -> None:
    new_worker(partition=0).write(first(time_ms=MIDDAY_MS))
    new_worker(partition=1).write(first(time_ms=MIDDAY_MS + 1))

    reading = reader.read("transaction", "card", MIDDAY_MS + 1)

    assert reading is not None
    assert reading.partition == 1


def test_a_group_that_does_not_exist_is_refused_with_those_that_do(reader: Reader) -> None:
    with pytest.raises(UserError, match="Choose from transaction, order, clickstream"):
        reader.read("transactions", "card", MIDDAY_MS)


def test_a_damaged_state_is_refused(lab: Lab, worker: Worker, reader: Reader) -> None:
    written = first()
    worker.write(written._replace(delta=msgspec.structs.replace(written.delta, head=b"\x95\x63\x00\x00\xc0\xff")))

    with pytest.raises(UserError, match="state version 99"):
        reader.read("transaction", "card", MIDDAY_MS)


@tries(60)
@given(
    steps=st.lists(st.integers(-LATENESS_MS, 90_000), min_size=1, max_size=80),
    batch_size=st.integers(1, 50),
    moments=st.lists(st.integers(-LATENESS_MS, 2 * WINDOW_MS), min_size=1, max_size=10),
)
def test_any_moment_reads_as_from_a_state_that_was_never_stored(
    lab: Lab, store: OnlineStore, steps: list[int], batch_size: int, moments: list[int]
) -> None:
    lab.lose_everything()
    worker, events, newest_ms = Worker(store), [], MIDDAY_MS
    state, kept = EntityState(TRANSACTION, WINDOW), EntityState(TRANSACTION, WINDOW)
    for offset, step_ms in enumerate(steps):
        events.append(payment(newest_ms + step_ms, offset, amount_minor=offset))
        newest_ms = max(newest_ms, newest_ms + step_ms)
    for start in range(0, len(events), batch_size):
        worker.write(change("card", state, *events[start : start + batch_size]))

    for event in events:
        kept.insert(event, event.time_ms - LATENESS_MS)
    for after_ms in moments:
        at_ms = newest_ms + after_ms
        reading = Reader(store, REGISTRY, WINDOW).read("transaction", "card", at_ms)
        assert reading is not None
        assert reading.vector == kept.vector_at(at_ms)


def test_a_feature_that_fails_is_one_line(worker: Worker, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    worker.write(first())

    def fail(*_: object) -> None:
        raise Rejected("internal", "txn_count raised ZeroDivisionError")

    monkeypatch.setattr(EntityState, "vector_at", fail)
    with pytest.raises(UserError, match="txn_count raised ZeroDivisionError"):
        reader.read("transaction", "card", MIDDAY_MS)
