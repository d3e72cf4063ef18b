"""What Flink and its Kafka clients are told, from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from twinstream.job.key_groups import MAX_PARALLELISM
from twinstream.log.topics import DEAD_LETTER_BYTES
from twinstream.settings import Settings

Mode = Literal["thread", "process"]

TRANSACTION_TIMEOUT_MS = 3_600_000
"""The longest outage that checkpointed output survives; the broker's limit is as long."""

BATCH_INTERVAL_MS = 100
"""How long records are collected before they cross to Python together."""


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How the job is to run, beside the settings.

    Attributes:
        state_directory: URL of the directory for checkpoints and savepoints; every machine of the cluster must see it.
        mode: where Python runs: in Flink's own process, or in one of its own per subtask.
        parallelism: number of subtasks; more than source partitions are of no use.
        batch_interval_ms: how long records are collected.
        savepoint: what to continue from; None for the beginning of the log.
    """

    state_directory: str
    mode: Mode = "thread"
    parallelism: int = 1
    batch_interval_ms: int = BATCH_INTERVAL_MS
    savepoint: str | None = None


def job_configuration(settings: Settings, options: JobOptions) -> dict[str, str]:
    """Flink's configuration of the job, wherever it runs."""
    configuration = {
        "pipeline.name": f"Twinstream features ({settings.consumer_group})",
        "pipeline.max-parallelism": str(MAX_PARALLELISM),
        "pipeline.object-reuse": "true",
        "parallelism.default": str(options.parallelism),
        "python.execution-mode": options.mode,
        # The partitions' micro-batches of one moment cross together; a bundle for each doubles the delay (p99).
        "python.fn-execution.bundle.size": "64",
        "python.fn-execution.bundle.time": "10",
        # Between tasks records wait for a full buffer at most so long; a micro-batch hardly ever fills one.
        "execution.buffer-timeout.interval": "10 ms",
        "state.backend.type": "rocksdb",
        "execution.checkpointing.dir": f"{options.state_directory}/checkpoints",
        "execution.checkpointing.savepoint-dir": f"{options.state_directory}/savepoints",
        "execution.checkpointing.interval": f"{settings.checkpoint_interval_ms} ms",
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        # A batch may wait for Redis; that must not count as a failure.
        "execution.checkpointing.timeout": "10 min",
        "execution.checkpointing.tolerable-failed-checkpoints": "1000000",
        # Whatever ails it, the job tries again: at once, then ever more slowly.
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "500 ms",
        "restart-strategy.exponential-delay.max-backoff": "30 s",
        # A daylight-saving change must not move a 100 ms timer by an hour.
        "table.local-time-zone": "UTC",
        # Those that keep state are named by `pipeline`; the names of the others hold nothing in a savepoint.
        "table.exec.uid.generation": "ALWAYS",
    }
    if options.savepoint is not None:
        configuration["execution.state-recovery.path"] = options.savepoint
    return configuration


def consumer_group(settings: Settings) -> str:
    """The group under which the job's source notes how far it is."""
    return f"{settings.consumer_group}-flink"


def transactional_id_prefix(settings: Settings) -> str:
    """How the names of the sink's transactional producers begin."""
    return f"{settings.consumer_group}-flink-{settings.output_prefix}"


def consumer_properties(settings: Settings, topic: str) -> dict[str, str]:
    """Kafka's options of the source of a topic. Fetches stay small: a larger record comes all the same, alone."""
    return kafka_properties(settings) | {
        # Not the loop's group: what a worker of the loop finds committed there is its own.
        "group.id": consumer_group(settings),
        "client.id.prefix": f"{consumer_group(settings)}-{topic}",
        "isolation.level": "read_committed",
        "max.poll.records": "2000",
        "fetch.max.bytes": str(16 * 1024 * 1024),
    }


def producer_properties(settings: Settings) -> dict[str, str]:
    """Kafka's options of the sink; the dead letter of the largest record must get through."""
    return kafka_properties(settings) | {
        "transaction.timeout.ms": str(TRANSACTION_TIMEOUT_MS),
        "max.request.size": str(DEAD_LETTER_BYTES),
        "batch.size": str(256 * 1024),
        "linger.ms": "20",
        # How soon partitions of an output that was widened are used.
        "metadata.max.age.ms": "5000",
        "buffer.memory": str(128 * 1024 * 1024),
    }


def kafka_properties(settings: Settings) -> dict[str, str]:
    """Address and security in the terms of Kafka's Java clients."""
    properties = {
        "bootstrap.servers": settings.kafka_servers,
        "security.protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        assert settings.kafka_sasl_mechanism is not None
        assert settings.kafka_sasl_password is not None  # the settings see to both
        plain = settings.kafka_sasl_mechanism == "PLAIN"
        module = "plain.PlainLoginModule" if plain else "scram.ScramLoginModule"
        login = {
            "username": settings.kafka_sasl_username or "",
            "password": settings.kafka_sasl_password.get_secret_value(),
        }
        properties["sasl.mechanism"] = settings.kafka_sasl_mechanism
        properties["sasl.jaas.config"] = (
            f"org.apache.flink.kafka.shaded.org.apache.kafka.common.security.{module} required {_jaas(login)};"
        )
    if settings.kafka_ssl_cafile is not None:
        properties["ssl.truststore.type"] = "PEM"
        properties["ssl.truststore.location"] = str(settings.kafka_ssl_cafile)
    if settings.kafka_ssl_certfile is not None and settings.kafka_ssl_keyfile is not None:
        certificate, key = settings.kafka_ssl_certfile.read_text(), settings.kafka_ssl_keyfile.read_text()
        properties |= {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": certificate,
            "ssl.keystore.key": key,
        }
    if settings.kafka_ssl_password is not None:
        properties["ssl.key.password"] = settings.kafka_ssl_password.get_secret_value()
    return properties


def _jaas(login: Mapping[str, str]) -> str:
    """Options of a login module, quoted as its parser wants them.

    >>> print(_jaas({"password": 'a"b'}))
    password="a\\"b"
    """
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in login.items()}
    return " ".join(f'{name}="{value}"' for name, value in escaped.items())
