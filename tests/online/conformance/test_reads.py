"""What anybody may ask of a store without a claim."""

import asyncio
from collections.abc import Callable

import pytest

from tests.features.events import MIDDAY_MS
from tests.online.conformance.lab import Lab
from tests.online.worker import PARTITION_0, Worker, first
from twinstream.core.lateness import NOTHING_SEEN, LatenessState
from twinstream.online.contract import Found, OnlineStore, Progress, Recorded, StoredState
from twinstream.online.progress import has_lost


def test_nothing_is_known_of_what_nobody_wrote(store: OnlineStore) -> None:
    assert store.features("transaction", "card") == {}
    assert store.state("transaction", "card") is None
    assert list(store.all_features("transaction")) == []
    assert store.progress(PARTITION_0) is None


def test_all_features_are_those_of_each_entity(worker: Worker, new_worker: Callable[..., Worker]) -> None:
    worker.write(first("a", 1), first("b:c", 2))
    new_worker(partition=1).write(first("d", 3))

    found = dict(worker.store.all_features("transaction"))

    assert found == {entity: worker.features(entity) for entity in ("a", "b:c", "d")}
    assert [found[entity]["offset"] for entity in ("a", "b:c", "d")] == ["1", "2", "3"]


def test_groups_whose_names_begin_alike_are_kept_apart(worker: Worker) -> None:
    worker.write(first())

    assert list(worker.store.all_features("trans")) == []
    assert list(worker.store.all_features("transactions")) == []


def test_a_state_is_read_with_its_partition(worker: Worker) -> None:
    written = first(offset=7)
    worker.write(written)

    assert worker.store.state("transaction", "card") == (
        PARTITION_0,
        (7, written.delta.head, written.delta.changed),
    )


def test_many_states_are_read_in_the_order_asked_for(worker: Worker, new_worker: Callable[..., Worker]) -> None:
    one, other = first("a:b", offset=7), first("c", offset=9)
    worker.write(one)
    second = new_worker(epoch="e2", partition=1)
    second.write(other)

    found = worker.store.states(
        [("transaction", "c"), ("order", "c"), ("transaction", "nobody"), ("transaction", "a:b")]
    )

    assert found == [
        Found(second.claim.partition, "e2", StoredState(9, other.delta.head, other.delta.changed)),
        None,
        None,
        Found(PARTITION_0, "e1", StoredState(7, one.delta.head, one.delta.changed)),
    ]
    assert worker.store.states([]) == []


def test_features_that_outlived_their_state_are_found_without_one(lab: Lab, worker: Worker) -> None:
    worker.write(first())
    lab.lose_state(PARTITION_0, "card")

    assert worker.store.states([("transaction", "card")]) == [Found(PARTITION_0, "e1", None)]
    assert lab.store("others").states([("transaction", "card")]) == [Found(PARTITION_0, None, None)]


def test_a_server_reads_the_same_in_its_event_loop(lab: Lab, worker: Worker) -> None:
    worker.write(first("a"), first("b:c", 2))
    worker.finish(5)
    wanted = [("transaction", "b:c"), ("transaction", "nobody"), ("transaction", "a")]
    elsewhere = PARTITION_0._replace(partition=1)

    async def read() -> tuple[object, object]:
        reader = lab.async_reader()
        await reader.ping()
        answers = await reader.states(wanted), await reader.progress([elsewhere, PARTITION_0])
        await reader.close()
        return answers

    assert asyncio.run(read()) == (
        worker.store.states(wanted),
        [None, worker.store.progress(PARTITION_0)],
    )


def test_what_has_been_read_stays_as_it_was(worker: Worker) -> None:
    worker.write(first("card", 0), first("other", 0))
    read, loaded = worker.store.state("transaction", "card"), worker.load("card", "other")
    shown = worker.features()
    before = repr((read, loaded, shown))

    worker.finish(1, sweep_until_ms=MIDDAY_MS)
    worker.write(first("card", 9, MIDDAY_MS + 5))

    assert repr((read, loaded, shown)) == before


def test_another_namespace_sees_the_features_but_not_the_states(lab: Lab, worker: Worker) -> None:
    worker.write(first())
    other = lab.store("others")

    assert other.features("transaction", "card") == worker.features()
    assert other.state("transaction", "card") is None
    assert other.progress(PARTITION_0) is None


def test_progress_is_told_with_its_epoch(worker: Worker) -> None:
    assert worker.store.progress(PARTITION_0) == Recorded("e1", None)

    worker.finish(5)

    assert worker.store.progress(PARTITION_0) == Recorded("e1", Progress(5, LatenessState(MIDDAY_MS)))


@pytest.mark.parametrize(
    "state", [NOTHING_SEEN, LatenessState(9), LatenessState(9, 60, 2, 61), LatenessState(None, 5, 1, 5)]
)
def test_every_state_of_the_lateness_rule_comes_back(worker: Worker, state: LatenessState) -> None:
    worker.store.save_progress([(worker.claim, None, Progress(5, state))])

    assert worker.store.progress(PARTITION_0) == Recorded("e1", Progress(5, state))


def test_a_store_that_has_less_than_it_had_has_lost_something(lab: Lab, worker: Worker) -> None:
    store, reached = worker.store, Progress(5, LatenessState(MIDDAY_MS))
    assert has_lost(store, PARTITION_0, "e1", reached)
    worker.finish(5)
    assert not has_lost(store, PARTITION_0, "e1", reached)
    assert not has_lost(store, PARTITION_0, "e1", Progress(4, NOTHING_SEEN))
    assert has_lost(store, PARTITION_0, "e1", Progress(6, NOTHING_SEEN))
    assert not has_lost(store, PARTITION_0, "e2", Progress(6, NOTHING_SEEN)), "that is another epoch's"

    lab.lose_everything()

    assert has_lost(store, PARTITION_0, "e1", reached)
    assert not has_lost(store, PARTITION_0, "e1", Progress(0, NOTHING_SEEN))
