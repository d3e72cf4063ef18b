"""The table of local services: what `make up` starts, in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from deploy.local.aws import LocalAws
from deploy.local.aws import is_installed as has_moto
from deploy.local.kafka import LocalKafka
from deploy.local.redis import LocalRedis
from twinstream.errors import UserError
from twinstream.settings import Settings

KAFKA_PORT = 9092
REDIS_PORT = 6379
AWS_PORT = 4566

_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


class Service(Protocol):
    """One local process. `LocalRedis` is the shortest example."""

    @property
    def name(self) -> str:
        """What it is called in messages and files."""

    @property
    def address(self) -> str:
        """host:port."""

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""

    def check(self) -> None:
        """Raise a one-line `UserError` for what would keep it from starting."""

    def start(self) -> bool:
        """Start it and wait until it answers; False if it ran already."""

    def stop(self) -> bool:
        """End it; False if it did not run."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the services listen, all on the loopback interface."""

    kafka: int = KAFKA_PORT
    redis: int = REDIS_PORT
    aws: int | None = AWS_PORT
    """None if AWS_ENDPOINT_URL is elsewhere: it is for the producers alone, so that is no reason to refuse."""

    @classmethod
    def of(cls, settings: Settings) -> "Ports":
        """The ports that the settings name; a one-line refusal if they name another machine."""
        redis = urlsplit(settings.redis_connection_url).netloc.rpartition("@")[2]
        return cls(
            kafka=_local_port(settings.kafka_servers, "KAFKA_SERVERS", KAFKA_PORT),
            redis=_local_port(redis, "REDIS_URL" if settings.redis_url else "REDIS_HOST", REDIS_PORT),
            aws=_port_if_local(urlsplit(settings.aws_endpoint_url).netloc, AWS_PORT),
        )


def local_services(directory: Path, ports: Ports) -> Sequence[Service]:
    """Every service, with its state under `directory`, in the order of starting. A new one is one line here."""
    services: list[Service] = [
        LocalKafka(directory / "kafka", ports.kafka),
        LocalRedis(directory / "redis", ports.redis),
    ]
    if ports.aws is not None and has_moto():  # the loop's environment has none and needs none
        services.append(LocalAws(directory / "aws", ports.aws))
    return services


def _local_port(address: str, variable: str, default: int) -> int:
    port = _port_if_local(address, default)
    if port is None:
        raise UserError(
            f'{variable} is {address}, which is not this machine: "make up" starts local services only. '
            "Unset it to start them, or go on without."
        )
    return port


def _port_if_local(address: str, default: int) -> int | None:
    host, port = _split(address)
    return (port or default) if host in _THIS_MACHINE else None


def _split(address: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(f"//{address}")
        return parts.hostname or "", parts.port
    except ValueError:
        return address, None
