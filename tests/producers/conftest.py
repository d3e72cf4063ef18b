"""A real moto server for the tests of Kinesis and S3, and small helpers around the command line."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.aws import LocalAws
from producers.aws import aws_client
from twinstream.local.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
START_MS = 1_700_000_000_000

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def aws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """One moto server for all tests; each makes streams and buckets of its own."""
    server = LocalAws(tmp_path_factory.mktemp("aws"), free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def kinesis(aws_server: LocalAws) -> Any:
    """A Kinesis client of that server."""
    return aws_client("kinesis", endpoint_url=aws_server.url)


@pytest.fixture
def s3(aws_server: LocalAws) -> Any:
    """An S3 client of that server."""
    return aws_client("s3", endpoint_url=aws_server.url)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`python -m producers …` in a process of its own, as users run it; keywords are environment variables."""

    def command(
        *arguments: str,
        input: str | None = None,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KAFKA_", "SEED"))}
        return subprocess.run(
            [sys.executable, "-m", "producers", *arguments],
            cwd=ROOT,
            env=clean | {"COLUMNS": "200"} | environment,
            stdout=stdout,
            stderr=stderr,
            text=True,
            timeout=120,
            input=input,
            check=False,
        )

    return command
