"""`python -m deploy.local up|down|status|topics`: what `make up` and its siblings call."""

import shutil
import time
from itertools import zip_longest
from textwrap import wrap
from typing import Annotated

import typer

from deploy.local.compose import Compose, docker_answers
from deploy.local.paths import ROOT, RUN_DIRECTORY
from deploy.local.services import Ports, Service, local_services
from twinstream.definitions import load_registry
from twinstream.log.topics import ensure_topics
from twinstream.settings import Settings, load_settings
from twinstream.terminal import Terminal, command_line, run_command

app = command_line(
    help="Kafka, Redis and the topics on this machine: by Docker Compose where it answers, else as local processes.",
    no_args_is_help=True,
)
console = Terminal()

WIDTH, NAME_WIDTH = 80, 8
"""Of what is printed, and of the names in front of it."""


@app.command(epilog="Example: `make up`, `make up KAFKA_SERVERS=localhost:9192 REDIS_PORT=6380`")
def up() -> None:
    """Start what is not running yet and create the topics that are missing. Safe to run twice."""
    settings = load_settings()
    ports = Ports.of(settings)
    compose = _compose(ports)
    services = local_services(RUN_DIRECTORY, ports)
    if compose.started or (docker_answers() and not any(service.pid for service in services)):
        compose.up()
    else:
        for service in services:
            service.check()
        for service in services:
            _start(service)
    _create_topics(settings)


@app.command(epilog="Example: `make down`, `python -m deploy.local down --wipe`")
def down(
    wipe: Annotated[bool, typer.Option("--wipe", help="Delete the data of the local processes, too.")] = False,
) -> None:
    """End what `up` started, and nothing else. Data stays for the next `up`."""
    compose = _compose(Ports())
    if compose.started:
        compose.down()
    for service in reversed(local_services(RUN_DIRECTORY, Ports())):
        _tell(service.name, "stopped" if service.stop() else "was not running")
        if wipe:
            shutil.rmtree(RUN_DIRECTORY / service.name, ignore_errors=True)


@app.command(epilog="Example: `make status`")
def status() -> None:
    """What of it runs."""
    compose = _compose(Ports())
    if compose.started:
        compose.status()
        return
    for service in local_services(RUN_DIRECTORY, Ports()):
        _tell(service.name, f"running (pid {service.pid})" if service.pid else "not running")


@app.command(epilog="Example: `OUTPUT_PREFIX=test. make topics`")
def topics() -> None:
    """Create the topics that are missing, on whatever Kafka KAFKA_SERVERS names."""
    _create_topics(load_settings())


def _create_topics(settings: Settings) -> None:
    created = ensure_topics(settings, load_registry(settings.features))
    lines = wrap(f"created {', '.join(created)}" if created else "all there", WIDTH - NAME_WIDTH)
    for name, line in zip_longest(["topics"], lines, fillvalue=""):
        _tell(name, line)


def _compose(ports: Ports) -> Compose:
    environment = {"KAFKA_PORT": ports.kafka, "REDIS_PORT": ports.redis}
    return Compose(ROOT, environment, RUN_DIRECTORY / "compose-started")


def _start(service: Service) -> None:
    began = time.monotonic()
    with console.status(f"Starting {service.name} ..."):
        started = service.start()
    seconds = time.monotonic() - began
    told = f"started in {seconds:.1f} s" if started else "already running"
    _tell(service.name, f"{told} at {service.address}")


def _tell(name: str, message: str) -> None:
    console.say(f"{name:<{NAME_WIDTH}}{message}")


def main() -> None:
    """Run a command; what a user can mend is one line and exit code 2."""
    run_command(app, "python -m deploy.local")


if __name__ == "__main__":
    main()
