"""Connecting: to a Redis that can be relied on, or one line that says why not."""

import socket
import time

import pytest
import redis

from deploy.local import LocalRedis, free_port
from runtime.errors import UserError
from runtime.settings import load_settings
from store.connecting import check, connect


def test_a_redis_that_answers_is_connected_to(redis_server: LocalRedis) -> None:
    store = connect(load_settings(redis_url=redis_server.url))
    store.ping()
    store.close()


def test_nobody_there_is_one_line_with_the_remedy() -> None:
    port = free_port()

    with pytest.raises(UserError, match=rf'Redis does not answer at redis://localhost:{port}/0.*"make up"') as caught:
        connect(load_settings(redis_host="localhost", redis_port=port))
    assert "\n" not in str(caught.value)


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.connecting.REPLY_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(UserError, match="does not answer"):
            connect(load_settings(redis_host="127.0.0.1", redis_port=silent.getsockname()[1]))
    assert time.monotonic() - started < 4


def test_a_password_is_asked_for_and_never_shown(redis_server: LocalRedis, redis_client: redis.Redis) -> None:
    redis_client.config_set("requirepass", "right")
    try:
        with pytest.raises(UserError, match="REDIS_URL") as caught:
            connect(load_settings(redis_url=f"redis://:secret@127.0.0.1:{redis_server.port}/0"))
        with pytest.raises(UserError, match="REDIS_URL"):
            connect(load_settings(redis_url=redis_server.url))
        connect(load_settings(redis_url=f"redis://:right@127.0.0.1:{redis_server.port}/0")).close()
    finally:
        redis_client.config_set("requirepass", "")
    assert "secret" not in str(caught.value)


def test_a_redis_that_evicts_keys_is_refused(redis_server: LocalRedis, redis_client: redis.Redis) -> None:
    redis_client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(UserError, match=r"allkeys-lru.*CONFIG SET maxmemory-policy noeviction"):
            connect(load_settings(redis_url=redis_server.url))
    finally:
        redis_client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize(
    ("info", "reason"), [({"cluster_enabled": 1}, "is a cluster"), ({"role": "slave"}, "is a replica")]
)
def test_a_redis_without_an_order_of_writes_of_its_own_is_refused(info: dict[str, object], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        check(info, "redis://there:6379/0")
