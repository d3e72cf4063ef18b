"""uvicorn around the application: one process, or several under its supervision."""

import os
import socket
import tempfile
from functools import partial

import uvicorn
from uvicorn.supervisors import Multiprocess

from twinstream.serving.app import application
from twinstream.serving.metrics import FOLDER_VARIABLE
from twinstream.settings import Settings
from twinstream.stopping import StopRequest

DRAIN_DEADLINE_S = 5
"""How long calls under way may take after a request to end."""

KEEP_ALIVE_S = 75
"""How long a connection may be idle."""


def run(settings: Settings, listening: socket.socket) -> None:
    """Serve on a socket that is bound, until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        partial(application, settings),
        factory=True,
        workers=settings.serving_workers,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_DEADLINE_S,
    )
    if settings.serving_workers == 1:
        StopRequest()  # the server ends at a signal, and then raises it once more for whoever it belongs to
        uvicorn.Server(config).run(sockets=[listening])
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER_VARIABLE] = folder
        Multiprocess(config, sockets=[listening]).run()
