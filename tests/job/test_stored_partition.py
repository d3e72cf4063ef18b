"""Redis away, or taken by another worker, while the job writes to it."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from tenacity import wait_none

from tests.job.memory import MemoryJob
from tests.loop.outputs import SETTINGS
from twinstream.core.lateness import NOTHING_SEEN
from twinstream.job import stored_partition
from twinstream.log.contract import Record
from twinstream.online.contract import Progress
from twinstream.online.store_errors import StoreMismatch, StoreUnavailable
from twinstream.testing import START_MS

PAYMENT = b'{"transaction_id":"t%d","card_id":"%s","amount":1,"currency":"EUR","event_time":%d}'


def payments(first: int, count: int, card: str = "c") -> list[Record]:
    key = card.encode()
    numbers_and_times = ((number, START_MS + 1_000 * number) for number in range(first, first + count))
    return [
        Record("transactions", 0, number, time_ms, key, PAYMENT % (number, key, time_ms))
        for number, time_ms in numbers_and_times
    ]


def failing(call: str, *outcomes: Exception | None) -> Callable[[str], None]:
    """Lets the calls of a name fail, or not, one after the other; the later ones are carried out."""
    remaining = iter(outcomes)

    def before_call(name: str) -> None:
        fault = next(remaining, None) if name == call else None
        if fault is not None:
            raise fault

    return before_call


def test_batch_waits_for_redis_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_partition, "wait_exponential", lambda *_, **__: wait_none())
    job = MemoryJob("transactions", **SETTINGS)
    job.database.before_call = failing("send", *[StoreUnavailable("away")] * 5)
    job.run(payments(0, 10), Random(0))
    assert job.store.features("transaction", "c")["txn_count"] == "10"
    assert len(job.rows) == 10


def test_redis_that_goes_away_with_a_batch_gets_it_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_partition, "wait_exponential", lambda *_, **__: wait_none())
    job = MemoryJob("transactions", **SETTINGS)
    job.database.before_call = failing("outcome", *[StoreUnavailable("away")] * 3)
    job.run(payments(0, 10), Random(0))
    assert job.store.features("transaction", "c")["txn_count"] == "10"


def test_batch_that_was_lost_on_its_way_after_the_last_checkpoint_gets_there_by_the_timer() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 5), Random(0))
    job.process(payments(5, 5))
    assert job.working.unsettled
    kept = job.checkpoint()
    job.database.clear()
    job.restore(*kept)
    job.working.settle()
    assert job.store.features("transaction", "c")["txn_count"] == "10"
    assert job.stored_offset == 10, "or nobody could tell that Redis has all of it"


def test_restored_batch_that_was_not_settled_asks_redis_for_its_own_entities_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 5, "a"), Random(0))
    job.working.process(payments(5, 5, "b"))
    asked: list[str] = []
    really = job.store.load

    def load(loads: Any) -> Any:
        asked.extend(entity for each in loads for entity in each.entities)
        return really(loads)

    monkeypatch.setattr(job.store, "load", load)
    job.restore(*job.checkpoint())
    job.working.settle()
    assert asked == ["b"]
    assert job.stored_offset == 10


def test_restored_batch_that_was_not_settled_takes_with_it_the_entities_that_it_outlived() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 1, "old"), Random(0))
    job.working.process(payments(200, 1, "new"))
    job.restore(*job.checkpoint())
    job.working.settle()
    assert [entity for entity, _ in job.store.all_features("transaction")] == ["new"]


def test_redis_that_goes_away_while_it_gets_everything_back_gets_the_rest_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored_partition, "ENTITIES_AT_ONCE", 1)
    monkeypatch.setattr(stored_partition, "wait_exponential", lambda *_, **__: wait_none())
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 1, "z"), Random(0))
    stale = job.database.copy()
    job.run([record for card in "abc" for record in payments(ord(card), 1, card)], Random(0))
    kept = job.checkpoint()
    job.database.set_back(stale)
    job.database.before_call = failing("send", None, StoreUnavailable("away"))
    job.restore(*kept)
    job.working.settle()
    assert [job.store.features("transaction", card)["txn_count"] for card in "abc"] == ["1"] * 3


def test_job_that_ends_settles_its_last_batch() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.working.process(payments(0, 5))
    job.working.leave()
    assert job.stored_offset == 5


def test_batch_fails_when_redis_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_partition, "PATIENCE_S", 0.2)
    job = MemoryJob("transactions", **SETTINGS)
    job.database.before_call = failing("send", *[StoreUnavailable("away")] * 100)
    with pytest.raises(StoreUnavailable):
        job.run(payments(0, 1), Random(0))


def test_partition_taken_by_another_worker_is_taken_back() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 5), Random(0))
    other = MemoryJob("transactions", database=job.database, **SETTINGS)
    other.run(payments(0, 5), Random(1))
    job.run(payments(5, 5), Random(0))
    assert job.store.features("transaction", "c")["txn_count"] == "10"


def test_job_gives_way_to_a_worker_that_keeps_the_partition() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.database.before_call = failing("outcome", *[StoreMismatch("taken over")] * 100)
    with pytest.raises(StoreMismatch):
        job.run(payments(0, 5), Random(0))


def looked_after(job: MemoryJob) -> bool:
    """What the timer does of an idle partition; whether Redis had lost something."""
    lost = job.working.redis_has_lost()
    if lost:
        job.working.repopulate()
    return lost


def test_redis_that_lost_everything_is_repopulated_though_no_record_comes() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run([record for card in "abc" for record in payments(ord(card), 1, card)], Random(0))
    before = job.outputs()
    assert not looked_after(job)
    job.database.clear()
    assert looked_after(job)
    assert not looked_after(job)
    assert job.outputs() == before
    job.run(payments(ord("d"), 1, "d"), Random(0))
    assert job.store.features("transaction", "d")["txn_count"] == "1"


def test_redis_that_is_set_back_to_a_copy_is_repopulated_though_no_record_comes() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 5), Random(0))
    stale = job.database.copy()
    job.run(payments(5, 5), Random(0))
    job.database.set_back(stale)
    assert looked_after(job)
    assert job.store.features("transaction", "c")["txn_count"] == "10"


def test_restored_partition_that_gets_no_record_notices_what_redis_has_lost_meanwhile() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 5), Random(0))
    kept = job.checkpoint()
    job.database.clear()
    job.restore(*kept)
    job.working.settle()
    assert job.store.features("transaction", "c")["txn_count"] == "5"


def test_redis_ahead_of_a_restored_job_has_lost_nothing() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 5), Random(0))
    kept = job.checkpoint()
    job.run(payments(5, 5), Random(0))
    job.restore(*kept)
    job.working.settle()
    assert not job.working.redis_has_lost()


def test_what_another_epoch_has_written_is_not_lost() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 5), Random(0))
    claim, _ = job.store.claim(job.source, "another")
    job.store.save_progress([(claim, None, Progress(1, NOTHING_SEEN))])
    assert not job.working.redis_has_lost()


def test_redis_that_does_not_answer_has_not_lost_anything_yet() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 5), Random(0))
    job.database.before_call = failing("progress", StoreUnavailable("away"))
    assert not job.working.redis_has_lost()
