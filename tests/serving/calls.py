"""Calling the read API: an application in this process without a server, or a service over HTTP."""

import asyncio
import http.client
import json
from typing import Any, NamedTuple

from twinstream.serving.http import Application


class Answered(NamedTuple):
    """A response, whatever it was."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The kind of a refusal, whose body is checked to be one sentence."""
        assert self.status >= 400
        assert self.data.keys() == {"error", "message"}
        message = self.data["message"]
        assert message.endswith((".", "anybody")), message
        assert "\n" not in message
        assert "Traceback" not in message
        return str(self.data["error"])


async def asked(
    application: Application, method: str, path: str, body: Any = b"", query: str = "", pieces: int = 1
) -> Answered:
    """Call an application; a body that is no bytes goes as JSON, in so many pieces."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    step = -(-len(content) // pieces) or 1
    chunks = [content[start : start + step] for start in range(0, len(content), step)] or [b""]
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages[-1]["more_body"] = False
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode()}
    await application(scope, receive, send)
    start, *bodies = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answered(start["status"], headers, b"".join(each["body"] for each in bodies))


def call(application: Application, method: str, path: str, body: Any = b"", query: str = "") -> Answered:
    """The same from outside of an event loop."""
    return asyncio.run(asked(application, method, path, body, query))


def over_http(port: int, method: str, path: str, body: Any = None, timeout: float = 60) -> Answered:
    """Call a service on this machine, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
        response = connection.getresponse()
        return Answered(
            response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        )
    finally:
        connection.close()
