"""The same services from `docker-compose.yml`, where a Docker engine answers."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from twinstream.errors import UserError


class Compose:
    """The project's Compose file, started and stopped with the ports of the settings."""

    def __init__(self, project: Path, ports: Mapping[str, int], marker: Path) -> None:
        self._project = project
        self._environment = {**os.environ, **{name: str(port) for name, port in ports.items()}}
        self._marker = marker

    @property
    def started(self) -> bool:
        """Whether `up` started containers that `down` has not ended."""
        return self._marker.exists()

    def up(self) -> None:
        """Start every service and wait until all are healthy."""
        self._marker.parent.mkdir(parents=True, exist_ok=True)
        self._marker.touch()
        self._run("up", "--detach", "--wait")

    def down(self) -> None:
        """End and remove the containers; their volumes stay."""
        self._run("down")
        self._marker.unlink(missing_ok=True)

    def status(self) -> None:
        """Print what runs."""
        self._run("ps")

    def _run(self, *arguments: str) -> None:
        command = ["docker", "compose", *arguments]
        outcome = subprocess.run(command, cwd=self._project, env=self._environment, check=False)
        if outcome.returncode != 0:
            raise UserError(f"`{' '.join(command)}` failed with code {outcome.returncode}; its own message is above.")


def docker_answers() -> bool:
    """Whether a Docker engine with Compose answers within five seconds."""
    if shutil.which("docker") is None:
        return False
    try:
        return all(
            subprocess.run(["docker", *question], capture_output=True, timeout=5, check=False).returncode == 0
            for question in (("compose", "version"), ("info",))
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
