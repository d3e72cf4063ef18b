"""HTTP on ASGI, as little of it as the API needs: routes, bodies of a bounded size, and refusals as JSON.

Whatever a handler raises becomes a response of one sentence; what is our own fault is logged and not told.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from twinstream.errors import UserError
from twinstream.logging import get_logger
from twinstream.online.store_errors import StoreUnavailable

BODY_TIMEOUT_S = 10.0
"""How long a client may take to send its body."""

JSON = "application/json"
HTML = "text/html; charset=utf-8"

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Refused(Exception):
    """An answer that is no success.

    Args:
        status: of HTTP.
        error: names the kind of refusal, for programs.
        message: one sentence for a person, without anything secret.
        headers: of the response, beside the usual ones.
    """

    def __init__(self, status: HTTPStatus, error: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message
        self.headers = headers or {}


class Disconnected(Exception):
    """The client has gone before it had sent its body."""


class Error(msgspec.Struct, frozen=True):
    """The body of every refusal."""

    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent back."""

    body: bytes
    content_type: str = JSON
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler gets.

    Attributes:
        parts: what stands in the path where the route has placeholders.
        query: the part of the URL after the question mark, decoded; of a name given twice the last.
        receive: gives the body, by `body`.
        max_body_bytes: the longest body that is read.
    """

    parts: tuple[str, ...]
    query: dict[str, str]
    receive: Receive
    max_body_bytes: int

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            Refused: it is too long, or takes too long.
            Disconnected: the client has gone.
        """
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                return await self._body()
        except TimeoutError:
            raise Refused(
                HTTPStatus.REQUEST_TIMEOUT,
                "body_too_slow",
                f"The body did not arrive within {BODY_TIMEOUT_S:g} s.",
                {"connection": "close"},
            ) from None

    async def _body(self) -> bytes:
        body = bytearray()
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            body += message.get("body", b"")
            if len(body) > self.max_body_bytes:
                raise Refused(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    "body_too_large",
                    f"The body has more than {self.max_body_bytes} bytes. Ask for fewer entities in one call.",
                    {"connection": "close"},  # the rest of it is not read
                )
            if not message.get("more_body"):
                return bytes(body)


Handler = Callable[[Request], Awaitable[Response]]
Observe = Callable[[str, HTTPStatus, float], None]
"""Told a request's route, its status, and how long it took in seconds."""


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path with its handler.

    Attributes:
        method: GET or POST.
        path: segments in braces are placeholders; the last one takes the rest of the path, slashes included.
        handler: what answers.
    """

    method: str
    path: str
    handler: Handler

    def parts(self, path: str) -> tuple[str, ...] | None:
        """What a path has in the placeholders; None if it is not of this route."""
        wanted = self.path.split("/")
        given = path.split("/", len(wanted) - 1)
        if len(given) != len(wanted):
            return None
        pairs = list(zip(wanted, given, strict=True))
        if any(name != segment for name, segment in pairs if not name.startswith("{")):
            return None
        parts = tuple(segment for name, segment in pairs if name.startswith("{"))
        return parts if all(parts) else None


class Application:
    """An ASGI application.

    Args:
        routes: the first that fits is taken.
        max_body_bytes: the longest body that is read.
        observe: told of every request.
        close: awaited when the server ends.
    """

    def __init__(
        self, routes: Sequence[Route], max_body_bytes: int, observe: Observe, close: Callable[[], Awaitable[None]]
    ) -> None:
        self.routes = tuple(routes)
        self._max_body_bytes = max_body_bytes
        self._observe = observe
        self._close = close
        self._fixed = {(route.method, route.path): route for route in routes if "{" not in route.path}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or see the server begin and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._close()
                await send({"type": "lifespan.shutdown.complete"})
                return
            await send({"type": "lifespan.startup.complete"})

    async def _answer(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        path = "other"
        try:
            route, parts = self._route(scope["method"], scope["path"])
            path = route.path
            query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
            response = await route.handler(Request(parts, query, receive, self._max_body_bytes))
        except Disconnected:
            return
        except Exception as fault:
            response = _refusal(fault)
        await _send(send, response, with_body=scope["method"] != "HEAD")
        self._observe(path, response.status, time.perf_counter() - started)

    def _route(self, method: str, path: str) -> tuple[Route, tuple[str, ...]]:
        """The route, and what stands in its placeholders."""
        method = "GET" if method == "HEAD" else method
        fixed = self._fixed.get((method, path))
        if fixed is not None:
            return fixed, ()
        found = [(route, parts) for route in self.routes if (parts := route.parts(path)) is not None]
        for route, parts in found:
            if route.method == method:
                return route, parts
        if found:
            allowed = ", ".join(sorted({route.method for route, _ in found}))
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "wrong_method", f"Use {allowed} there.", {"allow": allowed})
        paths = ", ".join(dict.fromkeys(route.path for route in self.routes))
        raise Refused(HTTPStatus.NOT_FOUND, "no_such_path", f"There is nothing there. There are: {paths}.")


async def _send(send: Send, response: Response, with_body: bool) -> None:
    headers = [
        (b"content-type", response.content_type.encode()),
        (b"content-length", b"%d" % len(response.body)),
        (b"x-content-type-options", b"nosniff"),
        *((name.encode(), value.encode()) for name, value in response.headers.items()),
    ]
    await send({"type": "http.response.start", "status": int(response.status), "headers": headers})
    await send({"type": "http.response.body", "body": response.body if with_body else b""})


def _refusal(fault: Exception) -> Response:
    """What a client is told of something that was raised."""
    if isinstance(fault, Refused):
        return _as_json(fault.status, fault.error, fault.message, fault.headers)
    if isinstance(fault, StoreUnavailable):
        return _as_json(HTTPStatus.SERVICE_UNAVAILABLE, "store_unavailable", f"{fault}.", {"retry-after": "1"})
    if isinstance(fault, UserError):
        return _as_json(HTTPStatus.SERVICE_UNAVAILABLE, "store_refuses", str(fault))
    _logger.error("A request failed", exc_info=fault)
    sentence = "The service has a fault. Its log says which."
    return _as_json(HTTPStatus.INTERNAL_SERVER_ERROR, "fault", sentence)


def _as_json(status: HTTPStatus, error: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(Error(error, message)), status=status, headers=headers or {})


_logger = get_logger(__name__)
