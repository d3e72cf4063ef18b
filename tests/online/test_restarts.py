"""A Redis that dies, comes back with less than it had, or nothing: noticed at the next call."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local import LocalRedis, free_port
from tests.features.events import MIDDAY_MS, payment
from tests.online.worker import TRANSACTION, WINDOW, Worker, change, first
from twinstream.core.lateness import LatenessState
from twinstream.core.state import EntityState
from twinstream.online.contract import OnlineStore, Progress
from twinstream.online.redis.connection import connect
from twinstream.online.store_errors import StoreMismatch, StoreUnavailable
from twinstream.settings import load_settings


class Fallible:
    """A Redis that can be killed and come back as it was at an earlier moment; until then it loses nothing."""

    def __init__(self, directory: Path) -> None:
        self.server = LocalRedis(directory / "server", free_port())
        self.server.start()
        with self.server.client() as client:
            client.config_set("appendfsync", "always")
        self._kept = directory / "kept"

    def keep(self) -> None:
        """Note what Redis has on its disk."""
        shutil.rmtree(self._kept, ignore_errors=True)
        shutil.copytree(self.server.data, self._kept)

    def crash(self) -> None:
        """Kill it."""
        self.server.kill()

    def come_back(self) -> None:
        """Start it with what it had on its disk."""
        self.server.start()

    def come_back_as_kept(self) -> None:
        """Start it with what it had when that was kept."""
        shutil.rmtree(self.server.data)
        shutil.copytree(self._kept, self.server.data)
        self.server.start()

    def come_back_empty(self) -> None:
        """Start it without anything."""
        shutil.rmtree(self.server.data)
        self.server.start()


@pytest.fixture
def fallible(tmp_path: Path) -> Iterator[Fallible]:
    redis = Fallible(tmp_path)
    yield redis
    redis.crash()


@pytest.fixture
def store(fallible: Fallible) -> Iterator[OnlineStore]:
    store = connect(load_settings(redis_host="127.0.0.1", redis_port=fallible.server.port))
    yield store
    store.close()


def test_a_redis_that_is_away_is_unavailable_for_every_call(fallible: Fallible, store: OnlineStore) -> None:
    worker = Worker(store)
    fallible.crash()

    calls: list[Callable[[], object]] = [
        store.ping,
        lambda: worker.load("card"),
        lambda: worker.write(first()),
        lambda: worker.finish(1),
        lambda: Worker(store),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable, match=r"Redis does not answer at redis://127\.0\.0\.1"):
            call()


def test_work_goes_on_after_a_restart_that_lost_nothing(fallible: Fallible, store: OnlineStore) -> None:
    worker = Worker(store)
    state = EntityState(TRANSACTION, WINDOW)
    worker.write(change("card", state, payment(MIDDAY_MS, 0)))
    worker.finish(1)
    fallible.crash()
    second = change("card", state, payment(MIDDAY_MS + 1, 1))
    with pytest.raises(StoreUnavailable):
        worker.write(second)

    fallible.come_back()

    worker.write(second)
    worker.finish(2)
    assert worker.state("card").applied_offset == 1


def test_a_redis_that_lost_everything_is_noticed_before_anything_is_computed(
    fallible: Fallible, store: OnlineStore
) -> None:
    worker = Worker(store)
    worker.write(first())
    worker.finish(1)
    fallible.crash()
    fallible.come_back_empty()

    with pytest.raises(StoreMismatch):
        worker.load()
    assert Worker(store).progress is None


def test_a_redis_that_lost_the_last_batches_is_noticed(fallible: Fallible, store: OnlineStore) -> None:
    worker = Worker(store)
    worker.put("card", payment(MIDDAY_MS, 0))
    worker.finish(1)
    fallible.keep()
    worker.put("card", payment(MIDDAY_MS + 1, 1))
    worker.finish(2)
    fallible.crash()
    fallible.come_back_as_kept()

    with pytest.raises(StoreMismatch, match="next_offset=1"):
        worker.load()
    successor = Worker(store)
    assert successor.progress == Progress(1, LatenessState(MIDDAY_MS))
    assert successor.state("card").applied_offset == 0


def test_a_redis_that_lost_a_state_between_load_and_write_refuses_its_change(
    fallible: Fallible, store: OnlineStore
) -> None:
    worker = Worker(store)
    state = EntityState(TRANSACTION, WINDOW)
    worker.write(change("card", state, payment(MIDDAY_MS, 0)))
    worker.finish(1)
    fallible.keep()
    worker.write(change("card", state, payment(MIDDAY_MS + 1, 1)))
    worker.finish(2)
    worker.load()
    fallible.crash()
    fallible.come_back_as_kept()

    with pytest.raises(StoreMismatch, match="not at offset 1"):
        worker.write(change("card", state, payment(MIDDAY_MS + 2, 2)), first("other", 3))
    with pytest.raises(StoreMismatch):
        worker.finish(3)


def test_a_redis_that_lost_its_last_progress_refuses_the_next(fallible: Fallible, store: OnlineStore) -> None:
    worker = Worker(store)
    worker.write(first("a", 0))
    fallible.keep()
    worker.finish(1)
    fallible.crash()
    fallible.come_back_as_kept()

    worker.write(first("b", 1))
    with pytest.raises(StoreMismatch):
        worker.finish(2)
