"""`twinstream flink run|up|down|status|savepoint`: the job, and a local standalone cluster for it."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.job.command import follow, take_savepoint
from twinstream.job.distribution import (
    FLINK,
    FLINK_DIRECTORY,
    environment,
    prepare,
    shipped_sources,
    temporary_folder,
)
from twinstream.job.paths import flink_path, resume_line
from twinstream.job.rest import DEFAULT_PORT, FlinkRest
from twinstream.job.submitting import settings_of, submitted
from twinstream.local.jars import java_binary
from twinstream.local.scratch import claim
from twinstream.logging import configure_logging
from twinstream.packages import typed
from twinstream.stopping import StopRequest
from twinstream.terminal import Terminal, command_line

Cluster = Annotated[str | None, typer.Option(help="host:port of a running cluster.", envvar="FLINK_CLUSTER")]

app = command_line(help="The PyFlink job, and a local standalone cluster for it.", no_args_is_help=True)
console = Terminal()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def run(
    context: typer.Context,
    cluster: Cluster = None,
    directory: Annotated[Path, typer.Option(help="Where Flink keeps what it needs.", envvar="FLINK_DIRECTORY")] = (
        FLINK_DIRECTORY / "embedded"
    ),
) -> None:
    """Run the job: on a Flink of its own, or on FLINK_CLUSTER. What follows goes to the job (`run --help`)."""
    java_binary(FLINK.name)
    if cluster and "--help" not in context.args:
        submit(cluster, context.args)
    else:
        directory = directory.resolve()
        prepare({"env.log.dir": str(directory / "log")}, directory)
        scratch = claim(temporary_folder(directory) / "runs")
        sources = shipped_sources(load_registry(settings_of(context.args).features), directory)
        job = {"TWINSTREAM_SCRATCH": str(scratch), "TWINSTREAM_SOURCES": str(sources)}
        found = environment(scratch, directory) | job
        os.execve(sys.executable, [sys.executable, "-m", "twinstream.job", *context.args], found)


@app.command(epilog="Example:\n\n`twinstream flink up --task-managers 2`")
def up(
    task_managers: Annotated[int, typer.Option(help="How many TaskManagers.", min=1, max=10)] = 1,
    slots: Annotated[int, typer.Option(help="Subtasks that each can run.", min=1, max=64)] = 4,
    cluster: Cluster = None,
) -> None:
    """Start a standalone cluster on this machine. Safe to run twice."""
    from twinstream.job.cluster import FlinkCluster  # which needs a package of the extra `flink`

    flink = FlinkCluster(port=local_port(cluster), task_managers=task_managers, slots=slots)
    with console.status("Starting Flink ..."):
        flink.start()
    console.say(f"flink   running, web UI at http://{flink.address}")
    given = f"FLINK_CLUSTER={flink.address}"
    console.say(f"        submit to it with: {typed(f'run-flink {given}', f'env {given} twinstream flink run')}")


@app.command(epilog="Example:\n\n`twinstream flink down`")
def down(cluster: Cluster = None) -> None:
    """End the cluster that `up` started."""
    from twinstream.job.cluster import FlinkCluster  # which needs a package of the extra `flink`

    flink = FlinkCluster(port=local_port(cluster), task_managers=0)
    console.print(f"flink   {'stopped' if flink.stop() else 'was not running'}")


def local_port(cluster: str | None) -> int:
    """The port of a cluster of this machine.

    >>> local_port("localhost:8082")
    8082

    Raises:
        UserError: the address is another machine's, or none.
    """
    if cluster is None:
        return DEFAULT_PORT
    host, _, port = cluster.rpartition(":")
    if host not in ("localhost", "127.0.0.1") or not port.isdecimal():
        raise UserError(f"FLINK_CLUSTER is {cluster}; a cluster of this machine is localhost:port, localhost:8082 say.")
    return int(port)


@app.command(epilog="Example: `twinstream flink status`")
def status(cluster: Cluster = None) -> None:
    """The jobs of a cluster."""
    rest = FlinkRest(cluster or f"localhost:{DEFAULT_PORT}")
    jobs = rest.running_jobs()
    for job in jobs:
        console.say(f"{job}  {rest.state(job)}  {rest.restarts(job)} restarts")
    if not jobs:
        console.print(f"No job runs on {rest.address}.")


@app.command(epilog="Examples:\n\n`twinstream flink savepoint`\n\n`twinstream flink savepoint --keep-running`")
def savepoint(
    cluster: Cluster = None,
    directory: Annotated[
        str | None, typer.Option(help="URL of the directory to put it in.", envvar="FLINK_STATE_DIRECTORY")
    ] = None,
    keep_running: Annotated[bool, typer.Option("--keep-running", help="Do not stop the job.")] = False,
) -> None:
    """Take a savepoint of the running job and stop it; `run` with SAVEPOINT continues."""
    rest = FlinkRest(cluster or f"localhost:{DEFAULT_PORT}")
    jobs = rest.running_jobs()
    if len(jobs) != 1:
        raise UserError(f"{len(jobs)} jobs run on {rest.address}; there must be one. See {rest.url}.")
    where = flink_path(directory or str(FLINK_DIRECTORY / "state"))
    location = take_savepoint(rest, jobs[0], where, stop=not keep_running)
    console.say(f"Savepoint taken. Continue from it: {resume_line(location)}")


def submit(cluster: str, arguments: list[str]) -> None:
    """Ship the job to a running cluster and show how it does; Ctrl-C leaves it running.

    Raises:
        UserError: the cluster does not answer, or refuses the job.
    """
    settings = settings_of(arguments)
    configure_logging(settings.log_level)
    rest = FlinkRest(cluster)
    rest.overview()
    job = submitted(cluster, arguments)
    console.say(f"Job {job} runs, web UI at {rest.url}/#/job/running/{job}")
    if sys.stdout.isatty():
        console.print(f"Ctrl-C leaves it running; {typed('flink-savepoint', 'twinstream flink savepoint')} stops it.")
        follow(rest, job, settings, load_registry(settings.features), None, StopRequest(), console)
