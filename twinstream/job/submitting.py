"""Handing the job to a running cluster: the feature definitions and the engine are shipped with it."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from typer.main import get_command

from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.job.command import app as job_command
from twinstream.job.distribution import (
    FLINK_DIRECTORY,
    client_command,
    environment,
    prepare,
    shipped_sources,
    temporary_folder,
)
from twinstream.job.embedded import python_of_workers
from twinstream.local.scratch import claimed
from twinstream.settings import Settings, load_settings

PROGRAM = ("-pym", "twinstream.job")
"""The job, as Flink's client takes it."""


def submitted(
    cluster: str,
    arguments: list[str],
    directory: Path = FLINK_DIRECTORY,
    settings: Mapping[str, str] | None = None,
    program: Sequence[str] = PROGRAM,
    also: Sequence[Path] = (),
) -> str:
    """Hand the job to a cluster with `flink run`; return the job's id.

    The workers' Python is this one on a cluster of this machine, else FLINK_PYTHON (default python3).

    Args:
        cluster: its address.
        arguments: of the job.
        directory: where Flink's client finds its configuration.
        settings: environment variables beside this process's.
        program: what to run, as Flink's client takes it.
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
        command = [*run_on_it, *program, "--", *arguments]  # or Flink would take --parallelism for its own
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
