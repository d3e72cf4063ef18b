"""The store in a real Redis, for what Redis alone can show. `conformance` runs on every kind of store."""

import pytest
import redis

from tests.online.worker import Worker
from twinstream.online.redis.store import RedisStore


@pytest.fixture
def store(redis_client: redis.Redis) -> RedisStore:
    """The store in an empty Redis."""
    return RedisStore(redis_client, "tests", "the Redis of the tests")


@pytest.fixture
def worker(store: RedisStore) -> Worker:
    """Who has claimed partition 0 of the transactions."""
    return Worker(store)
