"""`python -m deploy.flink run|up|down|status|savepoint`: what `make run-flink` and its siblings call."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer
from typer.main import get_command

from deploy.flink.cluster import DEFAULT_PORT, FlinkCluster
from deploy.flink.distribution import (
    FLINK_DIRECTORY,
    client_command,
    environment,
    prepare,
    shipped_sources,
    temporary_folder,
)
from deploy.local.jars import ROOT, java_binary
from deploy.local.scratch import claim, claimed
from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.job.command import app as job_command
from twinstream.job.command import follow, take_savepoint
from twinstream.job.embedded import python_of_workers
from twinstream.job.paths import flink_path, resume_line
from twinstream.job.rest import FlinkRest
from twinstream.logging import configure_logging
from twinstream.settings import Settings, load_settings
from twinstream.stopping import StopRequest
from twinstream.terminal import Terminal, command_line, run_command

JOB = ROOT / "flink" / "jobs" / "feature_job.py"

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
    java_binary()
    if cluster and "--help" not in context.args:
        submit(cluster, context.args)
    else:
        directory = directory.resolve()
        prepare({"env.log.dir": str(directory / "log")}, directory)
        scratch = claim(temporary_folder(directory) / "runs")
        sources = shipped_sources(load_registry(settings_of(context.args).features), directory)
        job = {"TWINSTREAM_SCRATCH": str(scratch), "TWINSTREAM_SOURCES": str(sources)}
        found = environment(scratch, directory) | job
        os.execve(sys.executable, [sys.executable, str(JOB), *context.args], found)


@app.command(epilog="Example: `make flink-cluster`, `python -m deploy.flink up --task-managers 2`")
def up(
    task_managers: Annotated[int, typer.Option(help="How many TaskManagers.", min=1, max=10)] = 1,
    slots: Annotated[int, typer.Option(help="Subtasks that each can run.", min=1, max=64)] = 4,
    cluster: Cluster = None,
) -> None:
    """Start a standalone cluster on this machine. Safe to run twice."""
    flink = FlinkCluster(port=local_port(cluster), task_managers=task_managers, slots=slots)
    with console.status("Starting Flink ..."):
        flink.start()
    console.say(f"flink   running, web UI at http://{flink.address}")
    console.say(f"        submit to it with: make run-flink FLINK_CLUSTER={flink.address}")


@app.command(epilog="Example: `make flink-cluster-down`")
def down(cluster: Cluster = None) -> None:
    """End the cluster that `up` started."""
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


@app.command(epilog="Example: `python -m deploy.flink status`")
def status(cluster: Cluster = None) -> None:
    """The jobs of a cluster."""
    rest = FlinkRest(cluster or f"localhost:{DEFAULT_PORT}")
    jobs = rest.running_jobs()
    for job in jobs:
        console.say(f"{job}  {rest.state(job)}  {rest.restarts(job)} restarts")
    if not jobs:
        console.print(f"No job runs on {rest.address}.")


@app.command(epilog="Example: `make flink-savepoint`, `python -m deploy.flink savepoint --keep-running`")
def savepoint(
    cluster: Cluster = None,
    directory: Annotated[
        str | None, typer.Option(help="URL of the directory to put it in.", envvar="FLINK_STATE_DIRECTORY")
    ] = None,
    keep_running: Annotated[bool, typer.Option("--keep-running", help="Do not stop the job.")] = False,
) -> None:
    """Take a savepoint of the running job and stop it; `make run-flink SAVEPOINT=...` continues."""
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
        console.print("Ctrl-C leaves it running; make flink-savepoint stops it.")
        follow(rest, job, settings, load_registry(settings.features), None, StopRequest(), console)


def submitted(
    cluster: str,
    arguments: list[str],
    directory: Path = FLINK_DIRECTORY,
    settings: Mapping[str, str] | None = None,
    script: Path = JOB,
    also: Sequence[Path] = (),
) -> str:
    """Hand the job to a cluster with `flink run`; return the job's id.

    The workers' Python is this one on a cluster of this machine, else FLINK_PYTHON (default python3).

    Args:
        cluster: its address.
        arguments: of the job.
        directory: where Flink's client finds its configuration.
        settings: environment variables beside this process's.
        script: what to run.
        also: folders of packages that it needs beside the job's own.

    Raises:
        UserError: Flink refuses it.
    """
    if not (directory / "conf").is_dir():
        prepare({}, directory)
    local = cluster.rpartition(":")[0] in ("localhost", "127.0.0.1")
    python = os.environ.get("FLINK_PYTHON", python_of_workers() if local else "python3")
    with claimed(temporary_folder(directory) / "runs") as scratch:
        found = environment(scratch, directory)
        sources = shipped_sources(load_registry(settings_of(arguments, settings or {}).features), directory)
        folders = ",".join(map(str, [sources, *also]))
        shipped = ["-pyfs", folders, "-pyexec", python, "-pyclientexec", sys.executable]
        run_on_it = [*client_command(directory), "run", "--detached", "--jobmanager", cluster, *shipped]
        command = [*run_on_it, "-py", str(script), "--", *arguments]  # or Flink would take --parallelism for its own
        outcome = subprocess.run(command, capture_output=True, text=True, check=False, env=found | dict(settings or {}))
    said = outcome.stdout + outcome.stderr
    job = re.search(r"JobID ([0-9a-f]{32})", said)
    if outcome.returncode != 0 or job is None:
        raise UserError(_refusal(said))
    return job[1]


def settings_of(arguments: Sequence[str], environment: Mapping[str, str] = MappingProxyType({})) -> Settings:
    """The settings that the job will have. Its arguments are read as it reads them; what is wrong, it says itself.

    Args:
        arguments: of the job.
        environment: variables that it gets beside this process's; of them, FEATURES is read.

    Raises:
        UserError: a setting is wrong.
    """
    given = get_command(job_command).make_context("run", list(arguments), resilient_parsing=True).params
    if given["features"] is None:
        given["features"] = environment.get("FEATURES")
    return load_settings(**{name: given[name] for name in Settings.model_fields if name in given})


def _refusal(said: str) -> str:
    """One line of what `flink run` said: our own words if there are any, else the last cause."""
    ours = re.search(r"^error: (.+)$", said, re.MULTILINE)
    if ours:
        return ours[1]
    causes = re.findall(r"^(?:Caused by: |\w+(?:\.\w+)*(?:Error|Exception): )(.+)$", said, re.MULTILINE)
    return f"Flink refused the job: {causes[-1] if causes else said.strip()[-300:]}"


def main() -> None:
    """Run a command; what a user can mend is one line and exit code 2."""
    run_command(app, "python -m deploy.flink")


if __name__ == "__main__":
    main()
