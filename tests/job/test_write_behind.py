"""Redis away, or taken by another worker, while the job writes to it."""

from random import Random
from typing import Any

import pytest
from tenacity import wait_none

from tests.job.memory import MemoryJob
from tests.loop.outputs import SETTINGS
from twinstream.job import write_behind as mirror
from twinstream.log.contract import Record
from twinstream.online.pipeline import Pipe
from twinstream.online.store import BatchWrite, OnlineStore
from twinstream.online.store_errors import StoreMismatch, StoreUnavailable
from twinstream.testing import START_MS

PAYMENT = b'{"transaction_id":"t%d","card_id":"%s","amount":1,"currency":"EUR","event_time":%d}'
PROGRESS = "progress:twinstream:transactions:0"


def payments(first: int, count: int, card: str = "c") -> list[Record]:
    key = card.encode()
    numbers_and_times = ((number, START_MS + 1_000 * number) for number in range(first, first + count))
    return [
        Record("transactions", 0, number, time_ms, key, PAYMENT % (number, key, time_ms))
        for number, time_ms in numbers_and_times
    ]


def test_batch_waits_for_redis_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([True] * 5)
    really = BatchWrite.send

    def send(self: BatchWrite) -> None:
        if next(failures, False):
            raise StoreUnavailable("away")
        really(self)

    monkeypatch.setattr(BatchWrite, "send", send)
    monkeypatch.setattr(mirror, "wait_exponential", lambda *_, **__: wait_none())
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 10), Random(0))
    assert job.redis.hget("features:transaction:c", "txn_count") == b"10"
    assert len(job.rows) == 10


def test_redis_that_goes_away_with_a_batch_gets_it_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([True] * 3)
    really = BatchWrite.outcome

    def outcome(self: BatchWrite) -> Any:
        if next(failures, False):
            self.give_up()
            raise StoreUnavailable("away")
        return really(self)

    monkeypatch.setattr(BatchWrite, "outcome", outcome)
    monkeypatch.setattr(mirror, "wait_exponential", lambda *_, **__: wait_none())
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 10), Random(0))
    assert job.redis.hget("features:transaction:c", "txn_count") == b"10"


def test_batch_that_was_lost_on_its_way_after_the_last_checkpoint_gets_there_by_the_timer() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 5), Random(0))
    job.process(payments(5, 5))
    assert job.working.unsettled
    kept = job.checkpoint()
    job.redis.flushall()
    job.restore(*kept)
    job.working.settle()
    assert job.redis.hget("features:transaction:c", "txn_count") == b"10"
    assert job.redis.hget(PROGRESS, "offset") == b"10", "or nobody could tell that Redis has all of it"


def test_restored_batch_that_was_not_settled_asks_redis_for_its_own_entities_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 5, "a"), Random(0))
    job.working.process(payments(5, 5, "b"))
    asked: list[str] = []
    really = OnlineStore.load

    def load(self: OnlineStore, loads: Any) -> Any:
        asked.extend(entity for each in loads for entity in each.entities)
        return really(self, loads)

    monkeypatch.setattr(OnlineStore, "load", load)
    job.restore(*job.checkpoint())
    job.working.settle()
    assert asked == ["b"]
    assert job.redis.hget(PROGRESS, "offset") == b"10"


def test_restored_batch_that_was_not_settled_takes_with_it_the_entities_that_it_outlived() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 1, "old"), Random(0))
    job.working.process(payments(200, 1, "new"))
    job.restore(*job.checkpoint())
    job.working.settle()
    assert job.redis.keys("features:*") == [b"features:transaction:new"]


def test_redis_that_goes_away_while_it_gets_everything_back_gets_the_rest_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mirror, "ENTITIES_AT_ONCE", 1)
    monkeypatch.setattr(mirror, "wait_exponential", lambda *_, **__: wait_none())
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 1, "z"), Random(0))
    stale = job.redis_copy()
    job.run([record for card in "abc" for record in payments(ord(card), 1, card)], Random(0))
    kept = job.checkpoint()
    job.set_redis_back(stale)
    failures = iter([False, True])
    really = OnlineStore.write

    def write(self: OnlineStore, *args: Any) -> Any:
        if next(failures, False):
            raise StoreUnavailable("away")
        return really(self, *args)

    monkeypatch.setattr(OnlineStore, "write", write)
    job.restore(*kept)
    job.working.settle()
    assert [job.redis.hget(f"features:transaction:{card}", "txn_count") for card in "abc"] == [b"1"] * 3


def test_job_that_ends_settles_its_last_batch() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.working.process(payments(0, 5))
    job.working.leave()
    assert job.redis.hget(PROGRESS, "offset") == b"5"


def test_batch_fails_when_redis_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(self: BatchWrite) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(BatchWrite, "send", send)
    monkeypatch.setattr(mirror, "PATIENCE_S", 0.2)
    job = MemoryJob("transactions", **SETTINGS)
    with pytest.raises(StoreUnavailable):
        job.run(payments(0, 1), Random(0))


def test_partition_taken_by_another_worker_is_taken_back() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 5), Random(0))
    other = MemoryJob("transactions", redis=job.redis, **SETTINGS)
    other.run(payments(0, 5), Random(1))
    job.run(payments(5, 5), Random(0))
    assert job.redis.hget("features:transaction:c", "txn_count") == b"10"


def test_job_gives_way_to_a_worker_that_keeps_the_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    def outcome(self: BatchWrite) -> Any:
        raise StoreMismatch("taken over")

    job = MemoryJob("transactions", **SETTINGS)
    monkeypatch.setattr(BatchWrite, "outcome", outcome)
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
    job.redis.flushall()
    assert looked_after(job)
    assert not looked_after(job)
    assert job.outputs() == before
    job.run(payments(ord("d"), 1, "d"), Random(0))
    assert job.redis.hget("features:transaction:d", "txn_count") == b"1"


def test_redis_that_is_set_back_to_a_copy_is_repopulated_though_no_record_comes() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 5), Random(0))
    stale = job.redis_copy()
    job.run(payments(5, 5), Random(0))
    job.set_redis_back(stale)
    assert looked_after(job)
    assert job.redis.hget("features:transaction:c", "txn_count") == b"10"


def test_restored_partition_that_gets_no_record_notices_what_redis_has_lost_meanwhile() -> None:
    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 5), Random(0))
    kept = job.checkpoint()
    job.redis.flushall()
    job.restore(*kept)
    job.working.settle()
    assert job.redis.hget("features:transaction:c", "txn_count") == b"5"


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
    job.redis.hset(PROGRESS, mapping={"epoch": "another", "offset": 1})
    assert not job.working.redis_has_lost()


def test_redis_that_does_not_answer_has_not_lost_anything_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(self: Pipe, commands: Any) -> Any:
        raise StoreUnavailable("away")

    job = MemoryJob("transactions", **SETTINGS)
    job.run(payments(0, 5), Random(0))
    monkeypatch.setattr(Pipe, "run", run)
    assert not job.working.redis_has_lost()
