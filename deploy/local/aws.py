"""A stand-in for AWS (Kinesis and S3) on the loopback interface: moto's server."""

import importlib.util
import sys
import urllib.error
import urllib.request
from pathlib import Path

from twinstream.errors import UserError
from twinstream.local.daemon import Daemon
from twinstream.local.ports import HOST, require_free
from twinstream.packages import remedy

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""No proxy of the environment leads to this machine."""


class LocalAws:
    """A moto server. It keeps everything in memory: streams and buckets are gone when it ends."""

    name = "aws"

    def __init__(self, directory: Path, port: int = 4566) -> None:
        self.directory = directory.resolve()
        self.port = port
        self._daemon = Daemon(self.name, self.directory, port)

    @property
    def address(self) -> str:
        """host:port."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """What AWS_ENDPOINT_URL would be."""
        return f"http://{self.address}"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._daemon.pid

    def check(self) -> None:
        """Refuse in one line what would keep it from starting."""
        if not self._daemon.running:
            if not is_installed():
                raise UserError(f"{remedy('moto')} Or set AWS_ENDPOINT_URL to where AWS answers.")
            require_free(self.port, "AWS_ENDPOINT_URL=http://localhost:4567, for example")

    def start(self) -> bool:
        """Start it and wait until it answers; return False if it was running already."""
        if self._daemon.running:
            return False
        self.check()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._daemon.start([sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self.port)], self._answers)
        return True

    def stop(self) -> bool:
        """End it in good order; return whether it ran."""
        return self._daemon.stop()

    def _answers(self) -> bool:
        try:
            with _direct.open(f"{self.url}/moto-api/", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def is_installed() -> bool:
    """Whether the environment has moto with its server."""
    return importlib.util.find_spec("moto") is not None and importlib.util.find_spec("flask") is not None
