"""uvicorn around the application: one process, or several under its supervision."""

import os
import signal
import socket
import tempfile
from functools import partial
from multiprocessing import connection, parent_process
from threading import Thread

import uvicorn
from uvicorn.supervisors import Multiprocess

from twinstream.interpreter import tune_interpreter
from twinstream.serving.app import application
from twinstream.serving.http import Application
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
        partial(_in_this_process, settings),
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


def _in_this_process(settings: Settings) -> Application:
    """The application of a process that serves, which ends when its supervisor is no more."""
    made = application(settings)
    tune_interpreter()
    supervisor = parent_process()
    if supervisor is not None:
        Thread(target=_end_with, args=(supervisor.sentinel,), name="supervisor", daemon=True).start()
    return made


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
