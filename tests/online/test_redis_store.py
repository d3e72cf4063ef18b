"""What Redis alone can show of the store: removals cut short, foreign leftovers, and the keys themselves."""

from collections.abc import Iterator

import pytest
import redis

from tests.features.events import MIDDAY_MS
from tests.online.worker import PARTITION_0, WINDOW, Worker, first
from tests.reference import REGISTRY
from twinstream.online.reader import Reader
from twinstream.online.redis import store as redis_store
from twinstream.online.redis.store import RedisStore


def test_each_key_is_where_the_table_of_keys_says(redis_client: redis.Redis, worker: Worker) -> None:
    worker.write(first())
    worker.finish(1)

    assert set(redis_client.scan_iter()) == {
        b"features:transaction:card",
        b"state:tests:transaction:transactions:0:card",
        b"progress:tests:transaction:transactions:0",
        b"entities:tests:transaction:transactions:0",
        b"writer:transaction",
    }
    assert redis_client.hget("progress:tests:transaction:transactions:0", "epoch") == b"e1"
    assert redis_client.zscore("entities:tests:transaction:transactions:0", "card") == MIDDAY_MS
    assert redis_client.hgetall("writer:transaction") == {b"runtime": b"loop", b"consumer_group": b"tests"}


def test_an_interrupted_removal_is_taken_up_by_whoever_comes_next(
    store: RedisStore, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.write(first())
    worker.finish(1)

    def crash(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RedisStore, "_sweep", crash)
        with pytest.raises(KeyboardInterrupt):
            store.claim(PARTITION_0, "e2")
    assert store.progress(PARTITION_0) is None

    successor = Worker(store, epoch="e1")
    assert successor.progress is None
    assert successor.load("card")["card"] is None
    assert successor.features() == {}


def test_a_state_of_a_gone_epoch_is_not_read(redis_client: redis.Redis, store: RedisStore, worker: Worker) -> None:
    worker.write(first())
    redis_client.hset("progress:tests:transaction:transactions:0", "epoch", "e2")

    assert Reader(store, REGISTRY, WINDOW).read("transaction", "card", MIDDAY_MS) is None


def test_an_entity_that_a_scan_comes_by_twice_is_there_once(
    store: RedisStore, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.write(first("a"), first("b"), first("c"))
    run = store._pipe.run
    key = b"features:transaction:"
    scans: Iterator[object] = iter([[[b"7", [key + b"a", key + b"b"]]], [[b"0", [key + b"b", key + b"gone"]]]])

    def scanning(commands: list[tuple[object, ...]]) -> object:
        return next(scans) if commands and commands[0][0] == "SCAN" else run(commands)

    monkeypatch.setattr(store._pipe, "run", scanning)
    assert sorted(entity for entity, _ in store.all_features("transaction")) == ["a", "b"]


def test_a_scan_of_many_steps_finds_everything(
    store: RedisStore, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_store, "KEYS_PER_SCAN", 10)
    one = first()
    names = {f"card{number}" for number in range(200)}
    worker.write(*[one._replace(entity=name) for name in names])

    found = [entity for entity, _ in store.all_features("transaction")]
    assert len(found) == 200
    assert set(found) == names
