"""Writes: each entity only from where the writer last saw it, only by the owner, and only once."""

from collections.abc import Callable

import pytest

from tests.features.events import MIDDAY_MS, payment
from tests.online.conformance.lab import Lab
from tests.online.worker import TRANSACTION, WINDOW, Worker, change, first
from twinstream.core.state import EntityState, StateDelta
from twinstream.online.contract import EntityWrite, OnlineStore
from twinstream.online.redis.store import ENTITIES_PER_WRITE
from twinstream.online.store_errors import StoreMismatch


def test_features_are_readable_fields_with_their_place_in_the_log(lab: Lab, worker: Worker) -> None:
    worker.write(first("card", offset=7))

    fields = worker.features()

    assert list(fields)[: len(TRANSACTION.features)] == [feature.name for feature in TRANSACTION.features]
    assert (fields["txn_count"], fields["amount_sum"], fields["window_truncated"]) == ("1", "10.0", "false")
    assert (fields["topic"], fields["partition"], fields["offset"]) == ("transactions", "0", "7")
    assert fields["event_time"] == str(MIDDAY_MS)


def test_a_state_comes_back_as_it_was_written(worker: Worker) -> None:
    written = first("card", offset=7)

    worker.write(written)

    stored = worker.load("card", "other")
    assert stored["card"] == (7, written.delta.head, written.delta.changed)
    assert stored["other"] is None


def test_only_changed_chunks_are_replaced_and_dropped_ones_go(worker: Worker) -> None:
    worker.write(EntityWrite("card", -1, 1, 1, ["a"], b"1\n", StateDelta(b"h1", {0: b"a", 1: b"b", 2: b"c"}, [])))

    worker.write(EntityWrite("card", 1, 2, 2, ["a"], b"2\n", StateDelta(b"h2", {2: b"C", 3: b"d"}, [0])))

    assert worker.load("card")["card"] == (2, b"h2", {1: b"b", 2: b"C", 3: b"d"})


def test_a_state_of_very_many_chunks_is_stored_whole(worker: Worker) -> None:
    chunks = {number: b"%d" % number for number in range(12_345)}
    worker.write(EntityWrite("card", -1, 1, 1, ["a"], b"1\n", StateDelta(b"h", chunks, [])))
    assert worker.load("card")["card"] == (1, b"h", chunks)

    worker.write(EntityWrite("card", 1, 2, 2, ["a"], b"1\n", StateDelta(b"h", {}, list(range(1, 12_345)))))

    assert worker.load("card")["card"] == (2, b"h", {0: b"0"})


def test_a_feature_that_is_no_more_leaves_the_hash(lab: Lab, worker: Worker) -> None:
    delta = StateDelta(b"h", {}, [])
    worker.write(EntityWrite("card", -1, 1, 1, ["old", "kept"], b"1\n2\n", delta))

    worker.write(EntityWrite("card", 1, 2, 2, ["kept", "new"], b"3\n4\n", delta))

    assert "old" not in worker.features()
    assert (worker.features()["kept"], worker.features()["new"]) == ("3", "4")


def test_many_entities_of_several_partitions_are_written_in_one_go(
    lab: Lab, store: OnlineStore, new_worker: Callable[..., Worker]
) -> None:
    workers = [new_worker(partition=number) for number in range(3)]
    writes = [
        (worker.claim, [first(f"card{number}-{index}", offset=index) for index in range(2 * ENTITIES_PER_WRITE + 1)])
        for number, worker in enumerate(workers)
    ]

    written = store.write(writes)

    assert written.conflicts == []
    assert len(list(store.all_features("transaction"))) == 3 * (2 * ENTITIES_PER_WRITE + 1)
    assert workers[2].features("card2-64")["offset"] == "64"


def test_replayed_batch_changes_nothing(lab: Lab, worker: Worker) -> None:
    batch = [first("a", 0), first("b", 1)]
    worker.write(*batch)
    before = lab.everything()

    worker.write(*batch)

    assert lab.everything() == before


def test_the_rest_of_a_batch_that_was_half_written_is_written(lab: Lab, worker: Worker) -> None:
    batch = [first("a", 0), first("b", 1)]
    worker.write(batch[0])

    worker.write(*batch)

    assert worker.features("a")["offset"] == "0"
    assert worker.features("b")["offset"] == "1"


def test_a_worker_that_lost_the_partition_is_refused(
    lab: Lab, worker: Worker, new_worker: Callable[..., Worker]
) -> None:
    new_worker()
    before = lab.everything()

    with pytest.raises(StoreMismatch, match="transactions-0 has been taken over"):
        worker.write(first())

    assert lab.everything() == before


def test_a_change_of_an_older_state_is_refused(lab: Lab, worker: Worker) -> None:
    state = EntityState(TRANSACTION, WINDOW)
    worker.write(change("card", state, payment(MIDDAY_MS, 0)))
    lost = change("card", state, payment(MIDDAY_MS + 1, 1))
    before = lab.everything()

    with pytest.raises(StoreMismatch, match="card in transactions-0 is not at offset 1"):
        worker.write(change("card", state, payment(MIDDAY_MS + 2, 2)))

    assert lab.everything() == before
    worker.write(lost)


def test_a_first_write_is_refused_where_there_is_a_state(worker: Worker) -> None:
    worker.write(first(offset=3))

    with pytest.raises(StoreMismatch):
        worker.write(first(offset=4))


def test_a_change_of_a_state_that_was_lost_is_refused(lab: Lab, worker: Worker) -> None:
    state = EntityState(TRANSACTION, WINDOW)
    worker.write(change("card", state, payment(MIDDAY_MS, 0)))
    lab.lose_state(worker.claim.partition, "card")

    with pytest.raises(StoreMismatch):
        worker.write(change("card", state, payment(MIDDAY_MS + 1, 1)))


def test_one_refused_entity_does_not_keep_others_from_being_written(lab: Lab, worker: Worker) -> None:
    worker.write(first("a", 0))

    with pytest.raises(StoreMismatch):
        worker.write(first("a", 1), first("b", 2))

    assert worker.features("b")["offset"] == "2"


def test_names_with_colons_and_letters_of_any_script_are_kept_apart(lab: Lab, worker: Worker) -> None:
    names = ["a:b", "a", "ünï:код:卡", "b"]

    worker.write(*[first(name, offset) for offset, name in enumerate(names)])

    assert all(worker.features(name)["offset"] == str(offset) for offset, name in enumerate(names))
    assert all(worker.load(name)[name] is not None for name in names)
