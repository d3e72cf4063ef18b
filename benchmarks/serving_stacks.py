"""Which HTTP stack costs least: `python -m benchmarks.serving_stacks`.

Each contender answers the same request with the same work, a JSON body decoded and a vector of 19 features encoded by
msgspec, from one process. They run in turn, several times over, so that a busy machine is unfair to none of them. What
a request costs the server in processor time says most there; the rest depends on who else is at work.

Beside what `make requirements` installs this needs `pip install granian litestar starlette`.
"""

import asyncio
import http.client
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from deploy.local import free_port

CONNECTIONS = 4
REQUESTS = 4_000
ROUNDS = 5
BODY = b'{"entities":{"transaction":["card_0000000001"]}}'
VECTOR = {f"feature_number_{number}": number * 1.25 for number in range(19)}


class Request(msgspec.Struct):
    """What is asked."""

    entities: dict[str, list[str]]


_decode = msgspec.json.Decoder(Request).decode
_encode = msgspec.json.Encoder().encode
_threads = ThreadPoolExecutor(4)


def work(body: bytes) -> bytes:
    """The same for every contender."""
    entities = _decode(body).entities
    return _encode({group: [{"entity": each, "features": VECTOR} for each in ids] for group, ids in entities.items()})


async def bare(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """ASGI without a framework."""
    if scope["type"] == "http":
        body = (await receive())["body"]
        made = work(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(made))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": made})


def starlette(in_a_thread: bool = False) -> Any:
    """Starlette's routing and requests."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def answer(request: Request) -> Response:
        body = await request.body()
        made = await asyncio.get_running_loop().run_in_executor(_threads, work, body) if in_a_thread else work(body)
        return Response(made, media_type="application/json")

    return Starlette(routes=[Route("/v1/features", answer, methods=["POST"])])


def starlette_in_threads() -> Any:
    """The same, with the work in a thread."""
    return starlette(in_a_thread=True)


def litestar() -> Any:
    """Litestar, which knows msgspec."""
    from litestar import Litestar, Response, post

    @post("/v1/features", status_code=200)
    async def answer(body: bytes) -> Response[bytes]:
        return Response(work(body), media_type="application/json")

    return Litestar([answer], openapi_config=None)


def bare_factory() -> Any:
    """The function as a factory's product."""
    return bare


CONTENDERS = {
    "Granian, no framework": ("granian", "bare_factory"),
    "Granian, Starlette": ("granian", "starlette"),
    "Granian, Starlette, work in a thread": ("granian", "starlette_in_threads"),
    "Granian, Litestar": ("granian", "litestar"),
    "uvicorn (uvloop, httptools), no framework": ("uvicorn", "bare_factory"),
    "uvicorn (uvloop, httptools), Starlette": ("uvicorn", "starlette"),
    "uvicorn (asyncio, h11), Starlette": ("uvicorn-pure", "starlette"),
}


def serve(server: str, factory: str, port: int) -> None:
    """Serve one contender."""
    target = f"benchmarks.serving_stacks:{factory}"
    if server == "granian":
        from granian import Granian
        from granian.constants import Interfaces, Loops

        options = {"interface": Interfaces.ASGINL, "loop": Loops.uvloop, "factory": True, "log_enabled": False}
        Granian(target, port=port, **options).serve()
    else:
        import uvicorn

        loop, http = ("asyncio", "h11") if server == "uvicorn-pure" else ("uvloop", "httptools")
        uvicorn.run(target, port=port, factory=True, loop=loop, http=http, log_level="error", access_log=False)


async def load(port: int) -> list[float]:
    """Send all requests in a closed loop and return each one's time in ms."""
    head = b"POST /v1/features HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    message, times = head % len(BODY) + BODY, []

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(REQUESTS // CONNECTIONS):
            start = time.perf_counter()
            writer.write(message)
            headers = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert headers.startswith(b"http/1.1 200"), headers
            await reader.readexactly(int(headers.partition(b"content-length:")[2].split(b"\r\n")[0]))
            times.append((time.perf_counter() - start) * 1_000)
        writer.close()

    await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))
    return times


def measure(server: str, factory: str) -> tuple[float, float, float, float]:
    """Requests/s, p50 and p99 in ms, and µs of the server's processor time for a request."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.serving_stacks", "serve", server, factory, str(port)]
    process = subprocess.Popen(command, env=os.environ)
    try:
        _until_up(port)
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        asyncio.run(load(port))
        before, start = sum(map(_cpu_s, family)), time.perf_counter()
        times = sorted(asyncio.run(load(port)))
        elapsed, used = time.perf_counter() - start, sum(map(_cpu_s, family)) - before
    finally:
        process.terminate()
        process.wait()
    count = len(times)
    return count / elapsed, times[count // 2], times[count * 99 // 100], used / count * 1e6


def _cpu_s(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)


def _until_up(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("POST", "/v1/features", BODY, {"Content-Type": "application/json"})
            assert connection.getresponse().status == 200
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def main() -> None:
    """Run all contenders in turn and print the medians."""
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS):
        for name, contender in CONTENDERS.items():
            found[name].append(measure(*contender))
    table = Table("stack", "requests/s", "p50 ms", "p99 ms", "server µs/request", title=f"Medians of {ROUNDS} runs")
    for name, rows in found.items():
        rate, p50, p99, used = (median(column) for column in zip(*rows, strict=True))
        table.add_row(name, f"{rate:,.0f}", f"{p50:.2f}", f"{p99:.2f}", f"{used:.0f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
