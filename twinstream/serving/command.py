"""`twinstream serve`: the read API as one process or several."""

import socket
from ipaddress import ip_address
from typing import Annotated

import typer

from twinstream.addresses import bracketed
from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.logging import configure_logging, get_logger
from twinstream.online.redis.connection import connect_reader
from twinstream.settings import Settings, load_settings
from twinstream.terminal import Features, Terminal

WAITING_CONNECTIONS = 2_048
"""Connections that the system holds for us until they are taken."""


def serve(
    features: Features = None,
    host: Annotated[str | None, typer.Option(help="Address to bind to.", show_default="SERVING_HOST")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 for any.", show_default="SERVING_PORT")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes.", show_default="SERVING_WORKERS")] = None,
    consumer_group: Annotated[str | None, typer.Option(help="Whose states to read.")] = None,
    redis_db: Annotated[int | None, typer.Option(help="Redis database number.")] = None,
    open_to_anybody: Annotated[
        bool,
        typer.Option(
            "--open-to-anybody",
            help="Bind to an address that others reach, too. There are no tokens yet: whoever reaches it reads "
            "everything.",
        ),
    ] = False,
) -> None:
    """Serve features over HTTP, exactly as of any moment, until Ctrl-C."""
    from twinstream.serving.server import run  # which needs packages of the extra `serving`

    settings = load_settings(
        features=features,
        serving_host=host,
        serving_port=port,
        serving_workers=workers,
        consumer_group=consumer_group,
        redis_db=redis_db,
    )
    configure_logging(settings.log_level)
    load_registry(settings.features)
    with _listening(settings, open_to_anybody) as listening:
        connect_reader(settings).close()
        address, actual_port = listening.getsockname()[:2]
        url = f"http://{bracketed(address)}:{actual_port}"
        _logger.info("Serving features", url=url, docs=f"{url}/docs", workers=settings.serving_workers)
        run(settings, listening)
    Terminal().say("Stopped.")


def _listening(settings: Settings, open_to_anybody: bool) -> socket.socket:
    """The socket, bound.

    Raises:
        UserError: the address is not of this machine, cannot be bound to, or is taken; or others reach it, and nobody
            said that they may.
    """
    host, port = settings.serving_host, settings.serving_port
    named = settings.named("serving_host", "serving_port")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise UserError(f"The name {host} cannot be resolved ({named}). Set SERVING_HOST.") from None
    family, _, _, _, place = found[0]
    if not ip_address(str(place[0]).partition("%")[0]).is_loopback and not open_to_anybody:
        raise UserError(
            f"SERVING_HOST={host} is an address that others may reach, and there are no tokens yet. "
            "Bind to 127.0.0.1, or say that anybody may read: --open-to-anybody"
        )
    try:
        return socket.create_server((place[0], port), family=family, backlog=WAITING_CONNECTIONS)
    except OSError as error:
        raise UserError(
            f"SERVING_PORT={port} on {host} cannot be used ({error.strerror}). "
            "End what listens there, or set SERVING_PORT (0 takes any free port)."
        ) from None


_logger = get_logger(__name__)
