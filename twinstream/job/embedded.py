"""A Flink within the job's own process: what it needs before it starts, and what is left to do when it ends."""

import os
import shutil
import socket
import sys
from contextlib import suppress
from pathlib import Path

from twinstream.errors import UserError
from twinstream.packages import typed
from twinstream.settings import Settings

END_DEADLINE_S = 15.0
"""How long Flink's Java process may take to end."""

PROMETHEUS_REPORTER = {
    "metrics.reporters": "prometheus",
    "metrics.reporter.prometheus.factory.class": "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
    # Or 0.5 would be 0_5, and a histogram's buckets none.
    "metrics.reporter.prometheus.filterLabelValueCharacters": "false",
}


def configuration(settings: Settings, rest_port: int) -> dict[str, str]:
    """Flink's configuration of such a place."""
    return PROMETHEUS_REPORTER | {
        "rest.address": "localhost",
        "rest.bind-address": "localhost",
        "rest.port": str(rest_port),
        "rest.bind-port": str(rest_port),
        "python.client.executable": sys.executable,
        "python.executable": python_of_workers(),
        "python.files": os.environ["TWINSTREAM_SOURCES"],
        "taskmanager.memory.managed.size": "256m",
        # Flink shows metrics of ten seconds ago otherwise, and `--until-caught-up` waits for them.
        "metrics.fetcher.update-interval": "500 ms",
        "metrics.reporter.prometheus.port": str(settings.metrics_port),
    }


def require_libraries() -> None:
    """Refuse in one line if this process was not started by `twinstream flink run`, which prepares Flink's libraries.

    Raises:
        UserError: it was not.
    """
    if "TWINSTREAM_SOURCES" not in os.environ:
        start = typed("run-flink", "twinstream flink run")
        raise UserError(f"Flink's libraries are prepared by what starts the job. Start it with: {start}")


def require_free(settings: Settings, rest_port: int) -> None:
    """Refuse in one line if Flink could not listen where it is to; about its metrics it would only log that.

    Raises:
        UserError: another program holds a port.
    """
    for variable, host, port in (
        ("METRICS_PORT", settings.metrics_host, settings.metrics_port),
        ("FLINK_UI_PORT", "localhost", rest_port),
    ):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise UserError(
                    f"{variable}={port} cannot be used ({error.strerror}). End what listens there, or set {variable}."
                ) from None


def python_of_workers() -> str:
    """This Python by a name that PyFlink's script can call: it takes a path apart where there is a space in it."""
    if any(letter.isspace() for letter in sys.executable):
        return Path(sys.executable).name  # `twinstream flink` puts its folder on PATH, first
    return sys.executable


def end_flink() -> None:
    """End the Java process that Flink ran in, and delete what it needed while it ran."""
    import psutil
    from pyflink import java_gateway

    if java_gateway._gateway is not None:
        java_gateway._gateway.shutdown()  # or py4j complains of every object that it cannot give back
    processes = psutil.Process().children(recursive=True)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(processes, timeout=END_DEADLINE_S)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    if "TWINSTREAM_SCRATCH" in os.environ:
        folder = Path(os.environ["TWINSTREAM_SCRATCH"])
        shutil.rmtree(folder, ignore_errors=True)
        for above in list(folder.parents)[:2]:
            with suppress(OSError):  # there is something else in it
                above.rmdir()
