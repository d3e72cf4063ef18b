"""The stores that the conformance suite runs on: a real Redis, and fakeredis (7.4) with Lua."""

from collections.abc import Callable, Iterator

import fakeredis
import pytest
import redis

from tests.online.worker import Worker
from twinstream.online.contract import OnlineStore, Partition


@pytest.fixture(params=["redis", "fakeredis"])
def client(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """A client of an empty Redis of either kind."""
    if request.param == "redis":
        yield request.getfixturevalue("redis_client")
    else:
        yield fakeredis.FakeRedis(server=fakeredis.FakeServer(), version=(7, 4), protocol=2)


@pytest.fixture
def store(client: redis.Redis) -> OnlineStore:
    """The online store of either kind."""
    return OnlineStore(client, "tests", "the Redis of the tests")


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
