"""Redis as a local process."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from deploy.local import LocalRedis, free_port
from deploy.local.redis import cli_binary, server_binary
from twinstream.errors import UserError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalRedis]:
    server = LocalRedis(tmp_path, free_port())
    yield server
    server.kill()


def test_starting_twice_starts_once(server: LocalRedis) -> None:
    assert server.start()
    first = server.pid
    assert not server.start()
    assert server.pid == first


def test_data_survives_a_crash_and_a_restart(server: LocalRedis) -> None:
    server.start()
    with server.client() as client:
        client.set("key", "value")
        server.kill()
        assert server.pid is None
        server.start()
        assert client.get("key") == b"value"
        server.restart()
        assert client.get("key") == b"value"


def test_nothing_is_evicted_and_everything_is_logged_to_disk(redis_client: redis.Redis) -> None:
    wanted = {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "bind": "127.0.0.1",
    }
    assert {name: redis_client.config_get(name)[name] for name in wanted} == wanted


def test_taken_port_is_one_line_that_says_who_holds_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"^Port {port} is in use by .*\(pid \d+\)\. End it, or .*REDIS_PORT"):
            LocalRedis(tmp_path, port).start()


def test_server_is_found_without_a_system_wide_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert Path(server_binary()).is_file()
    assert Path(cli_binary() or "").is_file()
