"""The stores that the conformance suite runs on, and what a test has to know of each beyond the contract."""

from collections.abc import Iterable
from typing import Any, Protocol

import redis

from twinstream.online.contract import AsyncOnlineReader, OnlineStore, Partition
from twinstream.online.memory import AsyncMemoryReader, MemoryDatabase, MemoryStore
from twinstream.online.redis.async_reader import AsyncRedisReader
from twinstream.online.redis.keys import Keys
from twinstream.online.redis.store import RedisStore
from twinstream.online.single_writer import Runtime
from twinstream.online.store_errors import StoreUnavailable

NAMESPACE = "tests"


class Lab(Protocol):
    """An empty store, and the stores of others over the same data."""

    def store(self, namespace: str = NAMESPACE, runtime: Runtime = Runtime.LOOP) -> OnlineStore: ...

    def async_reader(self) -> AsyncOnlineReader: ...

    def store_that_is_away(self) -> OnlineStore: ...

    def everything(self) -> Any:
        """All that is stored but who writes it, to be compared with the same of another moment."""

    def holds_entities(self) -> bool:
        """Whether anything of any entity is stored, features or state."""

    def lose_everything(self) -> None: ...

    def lose_state(self, partition: Partition, entity: str) -> None: ...


class MemoryLab:
    def __init__(self) -> None:
        self._database = MemoryDatabase()

    def store(self, namespace: str = NAMESPACE, runtime: Runtime = Runtime.LOOP) -> OnlineStore:
        return MemoryStore(self._database, namespace, runtime)

    def async_reader(self) -> AsyncOnlineReader:
        return AsyncMemoryReader(MemoryStore(self._database, NAMESPACE))

    def store_that_is_away(self) -> OnlineStore:
        def away(name: str) -> None:
            raise StoreUnavailable("away")

        return MemoryStore(MemoryDatabase(away), NAMESPACE)

    def everything(self) -> Any:
        copied = self._database.copy()
        return {group: shown for group, shown in copied.features.items() if shown}, copied.partitions

    def holds_entities(self) -> bool:
        database = self._database
        return any(database.features.values()) or any(each.entities for each in database.partitions.values())

    def lose_everything(self) -> None:
        self._database.clear()

    def lose_state(self, partition: Partition, entity: str) -> None:
        del self._database.partitions[NAMESPACE, partition].entities[entity]


class RedisLab:
    """A real Redis, empty at first."""

    def __init__(self, client: redis.Redis, free_port: int) -> None:
        self.client = client
        self._free_port = free_port

    def store(self, namespace: str = NAMESPACE, runtime: Runtime = Runtime.LOOP) -> OnlineStore:
        return RedisStore(self.client, namespace, "the Redis of the tests", runtime)

    def async_reader(self) -> AsyncOnlineReader:
        port = self.client.connection_pool.connection_kwargs["port"]
        return AsyncRedisReader(f"redis://127.0.0.1:{port}/0", NAMESPACE, "the Redis of the tests", timeout_s=30)

    def store_that_is_away(self) -> OnlineStore:
        return RedisStore(redis.Redis(port=self._free_port, retry=None), NAMESPACE, "nowhere")

    def everything(self) -> Any:
        content: dict[bytes, Any] = {}
        for key in self._keys("writer:"):
            kind = self.client.type(key)
            whole = kind == b"zset"
            content[key] = self.client.zrange(key, 0, -1, withscores=True) if whole else self.client.hgetall(key)
        return content

    def holds_entities(self) -> bool:
        return bool(list(self._keys("writer:", "progress:")))

    def lose_everything(self) -> None:
        self.client.flushall()

    def lose_state(self, partition: Partition, entity: str) -> None:
        self.client.delete(Keys.of(NAMESPACE, partition).state_prefix + entity)

    def _keys(self, *without: str) -> Iterable[bytes]:
        return (key for key in self.client.scan_iter() if not key.decode().startswith(without))
