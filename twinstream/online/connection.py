"""Connecting to Redis, and refusing one that could lose or drop what is entrusted to it."""

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from twinstream.errors import UserError
from twinstream.online.refusals import why_not
from twinstream.online.single_writer import Runtime
from twinstream.online.store import OnlineStore
from twinstream.settings import Settings

CONNECT_TIMEOUT_S = 2
REPLY_TIMEOUT_S = 5


def connect(settings: Settings, runtime: Runtime = Runtime.LOOP) -> OnlineStore:
    """The online store that the settings name, for a runtime that writes to it, or for a reader.

    Raises:
        UserError: nobody answers there, or it is not a Redis that can be relied on.
    """
    client = redis.Redis.from_url(
        settings.redis_connection_url,
        protocol=2,
        decode_responses=False,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=REPLY_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        check(client.info(), settings.redis_address)
    except RedisError as error:
        client.close()
        raise UserError(why_not(error, settings)) from None
    return OnlineStore(client, settings.namespace, settings.redis_address, runtime)


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
