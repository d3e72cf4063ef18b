"""A small HTTP server beside a worker: /metrics, /healthz and /readyz."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from threading import Thread

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from twinstream.errors import UserError

Readiness = Callable[[], tuple[bool, str]]
"""Answers whether the worker makes progress and, if it does not, why."""


class HealthServer:
    """Serves until `stop`, on a thread of its own that never keeps a process alive.

    `/healthz` says that the process lives, `/readyz` asks `readiness` (200 or 503, the reason in the body). `setting`
    is how the user names the port, for messages.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        readiness: Readiness,
        *,
        host: str = "127.0.0.1",
        port: int = 8088,
        setting: str = "METRICS_PORT",
    ) -> None:
        self._server = _listen(host, port, _handler(registry, readiness), setting)
        self.host = host
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), name="health", daemon=True)

    @property
    def url(self) -> str:
        """Where the server answers, without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> "HealthServer":
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering and give the port back."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that closes its connection before it has the whole answer: there is nothing to mend."""


class _ServerOnIPv6(_Server):
    address_family = AF_INET6


def _listen(host: str, port: int, handler: type[BaseHTTPRequestHandler], setting: str) -> ThreadingHTTPServer:
    server = _ServerOnIPv6 if ":" in host else _Server
    try:
        return server((host, port), handler)
    except OSError as error:
        raise UserError(
            f"{setting}={port} on {host} cannot be used ({error.strerror}). "
            f"End what listens there, or set {setting} (0 takes any free port)."
        ) from None


def _asked(readiness: Readiness) -> tuple[bool, str]:
    try:
        return readiness()
    except Exception as error:
        return False, f"{type(error).__name__}: {error}"


def _handler(registry: CollectorRegistry, readiness: Readiness) -> type[BaseHTTPRequestHandler]:
    def answer(path: str) -> tuple[int, str, bytes]:
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest(registry)
        if path == "/healthz":
            return 200, "text/plain; charset=utf-8", b"ok\n"
        if path == "/readyz":
            ready, reason = _asked(readiness)
            return (200 if ready else 503), "text/plain; charset=utf-8", f"{reason or 'ready'}\n".encode()
        return 404, "text/plain; charset=utf-8", b"There are /metrics, /healthz and /readyz.\n"

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            status, content_type, body = answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Scrapes are not worth a line each."""

    return Handler
