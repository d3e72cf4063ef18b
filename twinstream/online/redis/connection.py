"""Connecting to Redis, and refusing one that could lose or drop what is entrusted to it."""

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from twinstream.errors import UserError
from twinstream.online.contract import AsyncOnlineReader, OnlineReader, OnlineStore
from twinstream.online.redis.async_reader import AsyncRedisReader
from twinstream.online.redis.refusals import why_not
from twinstream.online.redis.store import RedisStore
from twinstream.online.single_writer import Runtime
from twinstream.settings import Settings

CONNECT_TIMEOUT_S = 2
REPLY_TIMEOUT_S = 5


def connect(settings: Settings, runtime: Runtime = Runtime.LOOP) -> OnlineStore:
    """The online store that the settings name, for a runtime that writes to it.

    Raises:
        UserError: nobody answers there, or it is not a Redis that can be relied on.
    """
    client = _client(settings)
    try:
        check(client.info(), settings.redis_address)
    except RedisError as error:
        client.close()
        raise UserError(why_not(error, settings)) from None
    return RedisStore(client, settings.namespace, settings.redis_address, runtime)


def connect_reader(settings: Settings) -> OnlineReader:
    """The same store for somebody who only reads, for which a replica is good enough.

    Raises:
        UserError: nobody answers there.
    """
    client = _client(settings)
    try:
        client.ping()
    except RedisError as error:
        client.close()
        raise UserError(why_not(error, settings)) from None
    return RedisStore(client, settings.namespace, settings.redis_address)


def async_reader(settings: Settings, timeout_s: float) -> AsyncOnlineReader:
    """The same for a server's event loop. Nothing is connected yet: who wants to know, pings.

    Args:
        settings: name the Redis.
        timeout_s: how long a call may take, in seconds.
    """
    return AsyncRedisReader(
        settings.redis_connection_url, settings.namespace, settings.redis_address, timeout_s=timeout_s
    )


def _client(settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(
        settings.redis_connection_url,
        protocol=2,
        decode_responses=False,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=REPLY_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def check(info: dict[str, object], address: str) -> None:
    """Refuse a Redis that evicts keys, shards them, or copies another's."""
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise UserError(
            f"Redis at {address} may evict keys (maxmemory-policy {policy}), which would lose state. "
            "Run: redis-cli CONFIG SET maxmemory-policy noeviction"
        )
    if info.get("cluster_enabled"):
        raise UserError(f"Redis at {address} is a cluster, whose writes have no single order. Use one primary.")
    if info.get("role") == "slave":
        raise UserError(f"Redis at {address} is a replica, which takes no writes. Use its primary.")
