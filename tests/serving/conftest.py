"""The read API over a store in this process, with some cards in it; and as a service over a real Redis."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local import LocalRedis
from tests.features.events import MIDDAY_MS, payment
from tests.online.worker import TRANSACTION, Worker, change, first
from tests.reference import GROUPS, REGISTRY
from tests.serving.service import Service
from twinstream.core.state import EntityState, WindowConfig
from twinstream.online.contract import Partition
from twinstream.online.epoch import epoch
from twinstream.online.memory import AsyncMemoryReader, MemoryDatabase, MemoryStore
from twinstream.serving.app import Api
from twinstream.serving.http import Application
from twinstream.settings import Settings, load_settings

EPOCH = epoch("topic", GROUPS["transaction"], load_settings())


@pytest.fixture
def database() -> MemoryDatabase:
    """What the store in this process has."""
    return MemoryDatabase()


@pytest.fixture
def worker(database: MemoryDatabase) -> Worker:
    """Who writes the transactions."""
    return Worker(MemoryStore(database, "twinstream"), Partition("transactions", 0, "transaction"), EPOCH)


@pytest.fixture
def api(database: MemoryDatabase) -> Callable[..., Application]:
    """Makes the application: `api(serving_max_entities=3)`."""

    def make(**settings: Any) -> Application:
        store = AsyncMemoryReader(MemoryStore(database, "twinstream"))
        return Api(store, REGISTRY, Settings(**settings)).application()

    return make


@pytest.fixture
def cards(worker: Worker) -> None:
    """`card_1` with a payment at midday, at offset 7, and `card_2` with another one, at offset 8."""
    worker.write(first("card_1", 7), first("card_2", 8))


@pytest.fixture
def full_card(worker: Worker) -> None:
    """`full`, which had three payments at midday, of which two are kept."""
    state = EntityState(TRANSACTION, WindowConfig(300_000, max_events=2))
    worker.write(change("full", state, *(payment(MIDDAY_MS, offset) for offset in range(3))))


@pytest.fixture
def service(redis_server: LocalRedis, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts `twinstream serve` over the Redis of the tests: `service("--workers", "2", serving_timeout_ms=200)`."""
    started: list[Service] = []

    def start(*arguments: str, **settings: Any) -> Service:
        wanted = {"redis_host": "127.0.0.1", "redis_port": redis_server.port} | settings
        started.append(Service(arguments, wanted, tmp_path / f"service-{len(started)}.log"))
        return started[-1]

    yield start
    for each in started:
        each.kill()
