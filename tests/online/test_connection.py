"""Connecting: to a Redis that can be relied on, or one line that says why not."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis

from deploy.local import LocalRedis, free_port
from tests.certificates import Authority
from tests.online.worker import Worker, first
from twinstream.errors import UserError
from twinstream.online.contract import Partition
from twinstream.online.redis.connection import check, connect, connect_reader
from twinstream.online.redis.store import RedisStore
from twinstream.settings import load_settings


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
    monkeypatch.setattr("twinstream.online.redis.connection.REPLY_TIMEOUT_S", 0.2)
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


def test_a_reader_is_told_in_one_line_that_nobody_is_there() -> None:
    with pytest.raises(UserError, match="Redis does not answer"):
        connect_reader(load_settings(redis_host="localhost", redis_port=free_port()))


def test_a_replica_takes_readers_and_no_worker(
    redis_server: LocalRedis, redis_client: redis.Redis, tmp_path: Path
) -> None:
    redis_client.config_set("repl-diskless-sync-delay", "0")
    replica = LocalRedis(tmp_path, free_port())
    replica.start()
    try:
        with replica.client() as client:
            client.replicaof("127.0.0.1", redis_server.port)
        worker = Worker(RedisStore(redis_client, "twinstream", "the primary"))
        worker.write(first())
        assert redis_client.wait(1, 9_000) == 1, "the replica has what was written"
        settings = load_settings(redis_url=replica.url)
        reader = connect_reader(settings)
        assert reader.features("transaction", "card") == worker.features()
        assert reader.state("transaction", "card") == worker.store.state("transaction", "card")
        reader.close()
        with pytest.raises(UserError, match="is a replica"):
            connect(settings)
    finally:
        replica.kill()


@pytest.mark.parametrize(
    ("info", "reason"), [({"cluster_enabled": 1}, "is a cluster"), ({"role": "slave"}, "is a replica")]
)
def test_a_redis_without_an_order_of_writes_of_its_own_is_refused(info: dict[str, object], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        check(info, "redis://there:6379/0")


@pytest.fixture
def users(redis_server: LocalRedis, redis_client: redis.Redis) -> Iterator[str]:
    """Redis users with fewer rights than a worker needs, all with the password hunter2; yields host:port."""
    rights = {
        "all": ["+@all"],
        "uninformed": ["+@all", "-info"],
        "unscripted": ["+@all", "-evalsha"],
        "unloading": ["+@all", "-script"],
    }
    for name, commands in rights.items():
        redis_client.execute_command("ACL", "SETUSER", name, "on", ">hunter2", "~*", *commands)
    redis_client.execute_command("ACL", "SETUSER", "elsewhere", "on", ">hunter2", "~other:*", "+@all")
    redis_client.execute_command("ACL", "SETUSER", "within", "on", ">hunter2", "~*", "+@all", "-hmset", "-hset")
    redis_client.script_flush()
    yield f"127.0.0.1:{redis_server.port}"
    redis_client.execute_command("ACL", "DELUSER", *rights, "elsewhere", "within")


def refusal(url: str) -> str:
    with pytest.raises(UserError) as caught:
        connect(load_settings(redis_url=url)).claim(Partition("transactions", 0, "transaction"), "epoch")
    message = str(caught.value)
    assert "\n" not in message
    assert "hunter2" not in message
    return message


def test_a_user_with_every_right_is_connected(users: str) -> None:
    connect(load_settings(redis_url=f"redis://all:hunter2@{users}/0")).close()


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("uninformed", "does not allow this user to run INFO. Grant it: ACL SETUSER <user> +info"),
        ("unscripted", "does not allow this user to run EVALSHA. Grant it: ACL SETUSER <user> +evalsha"),
        ("unloading", "does not allow this user to run SCRIPT"),
        ("elsewhere", "does not allow this user one of our keys. Grant them: ACL SETUSER <user> ~*"),
        ("within", "does not allow this user a command that our scripts run."),
    ],
)
def test_a_missing_right_is_named(users: str, user: str, expected: str) -> None:
    assert expected in refusal(f"redis://{user}:hunter2@{users}/0")


def test_a_refused_password_is_told_from_a_missing_one(users: str, redis_client: redis.Redis) -> None:
    assert "refuses the user or the password (REDIS_URL, from a flag)" in refusal(f"redis://all:nope@{users}/0")
    assert "refuses the user or the password" in refusal(f"redis://{users}/0?username=all&password=hunter2x")
    redis_client.config_set("requirepass", "right")
    try:
        assert "wants a password" in refusal(f"redis://{users}/0")
    finally:
        redis_client.config_set("requirepass", "")


def test_a_database_that_is_not_there_is_told(users: str) -> None:
    assert "has no database of that number. Set REDIS_DB" in refusal(f"redis://all:hunter2@{users}/999999")


def test_an_unknown_host_is_told_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_HOST", "nowhere.invalid")
    with pytest.raises(UserError) as caught:
        connect(load_settings())
    assert "the name cannot be resolved (REDIS_HOST, from the environment, and REDIS_PORT" in str(caught.value)
    assert "make up" not in str(caught.value)


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Something at a port that answers each connection, in a thread of its own; yields host:port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, suppress(OSError):
                        answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_another_protocol_is_told() -> None:
    def web(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with server(web) as address:
        assert "does not speak Redis's protocol. Correct REDIS_URL" in refusal(f"redis://{address}/0")


def test_tls_on_one_side_only_is_told(users: str, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = Authority(tmp_path)
    context.load_cert_chain(*authority.issue("server"))

    def encrypted(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(100)

    with server(encrypted) as address:
        assert "wants TLS. Use rediss:// in REDIS_URL" in refusal(f"redis://:hunter2@{address}/0")
        assert "its certificate is not trusted: " in refusal(f"rediss://:hunter2@{address}/0")
        missing = tmp_path / "missing.pem"
        assert f"There is no file {missing}, which ssl_ca_certs in REDIS_URL names" in refusal(
            f"rediss://:hunter2@{address}/0?ssl_ca_certs={missing}"
        )
    assert "it does not speak TLS. Use redis:// instead of rediss://" in refusal(f"rediss://all:hunter2@{users}/0")
