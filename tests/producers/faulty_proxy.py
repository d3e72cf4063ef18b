"""An HTTP proxy before moto that makes Kinesis refuse entries, as it does when a shard is too busy."""

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Refuse = Callable[[dict[str, Any]], bool]
"""Whether an entry of PutRecords is to be refused this time."""

REFUSAL = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}


@contextmanager
def faulty_proxy(target: str, refuse: Refuse) -> Iterator[tuple[str, list[list[dict[str, Any]]]]]:
    """The proxy's address, and the entries of each PutRecords request that came by."""
    requests: list[list[dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not self.headers.get("X-Amz-Target", "").endswith(".PutRecords"):
                self._answer(self._forward(body))
                return
            request = json.loads(body)
            entries = request["Records"]
            requests.append(entries)
            refused = [refuse(entry) for entry in entries]
            request["Records"] = [entry for entry, no in zip(entries, refused, strict=True) if not no]
            taken: list[dict[str, Any]] = []
            if request["Records"]:
                taken = json.loads(self._forward(json.dumps(request).encode()))["Records"]
            rest = iter(taken)
            results = [REFUSAL if no else next(rest) for no in refused]
            self._answer(json.dumps({"FailedRecordCount": sum(refused), "Records": results}).encode())

        def _forward(self, body: bytes) -> bytes:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in {"content-length"}}
            with urllib.request.urlopen(urllib.request.Request(target, body, headers)) as answer:
                return bytes(answer.read())

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
