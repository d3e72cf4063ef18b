"""Building kafka-python's clients so that a broker that is away costs five seconds, one line and nothing else."""

from typing import Any

from kafka.errors import (
    AuthorizationError,
    KafkaConfigurationError,
    KafkaError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient

from runtime.errors import UserError
from runtime.kafka.contract import KafkaUnavailable
from runtime.kafka.options import does_not_answer, servers_of
from runtime.settings import Settings


def build_client(kind: Any, where: Settings | str, options: dict[str, Any]) -> Any:
    """`kind(**options)`. Its network thread, which a failed constructor leaves running, is ended on failure."""
    networks: list[Any] = []

    def remember(**config: Any) -> Any:
        networks.append(KafkaNetClient(**config))
        return networks[-1]

    try:
        return kind(**options, kafka_client=remember)
    except (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, AuthorizationError) as error:
        _end(networks)
        raise UserError(f"Kafka at {servers_of(where)} refuses us: {error}. Check KAFKA_SASL_*.") from error
    except KafkaConfigurationError:
        _end(networks)
        raise
    except (KafkaError, OSError) as error:
        _end(networks)
        raise KafkaUnavailable(does_not_answer(where)) from error


def _end(networks: list[Any]) -> None:
    for network in networks:
        network.close()
