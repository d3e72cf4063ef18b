"""The conformance suite runs on each store: Redis itself, and the store in this process."""

from collections.abc import Callable

import pytest

from deploy.local import free_port
from tests.online.conformance.lab import Lab, MemoryLab, RedisLab
from tests.online.worker import Worker
from twinstream.online.contract import OnlineStore, Partition


@pytest.fixture(params=["in-process", "redis"])
def lab(request: pytest.FixtureRequest) -> Lab:
    """An empty store of either kind."""
    if request.param == "in-process":
        return MemoryLab()
    return RedisLab(request.getfixturevalue("redis_client"), free_port())


@pytest.fixture
def store(lab: Lab) -> OnlineStore:
    """The store as the workers of the tests see it."""
    return lab.store()


@pytest.fixture
def worker(store: OnlineStore) -> Worker:
    """Who has claimed partition 0 of the transactions."""
    return Worker(store)


@pytest.fixture
def new_worker(store: OnlineStore) -> Callable[..., Worker]:
    """Makes another worker: `new_worker(epoch="e1", partition=0)`."""

    def claimed(epoch: str = "e1", partition: int = 0) -> Worker:
        return Worker(store, Partition("transactions", partition, "transaction"), epoch)

    return claimed
