"""Building kafka-python's clients so that a broker that is away costs five seconds, one line and nothing else."""

from typing import Any

from kafka.errors import (
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

_REFUSALS = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError)


def build_client(kind: Any, where: Settings | str, options: dict[str, Any]) -> Any:
    """`kind(**options)`; on failure nothing of it is left, and the error says what to do.

    Left to itself, a constructor that fails leaves its network thread running, and a wrong password looks like a broker
    that is away.
    """
    attempt = _Attempt()
    try:
        return kind(**options, kafka_client=attempt.connect)
    except (KafkaError, OSError) as error:
        attempt.abandon()
        if isinstance(error, KafkaConfigurationError):
            raise
        refusal = next((each for each in [error, *attempt.errors] if isinstance(each, _REFUSALS)), None)
        if refusal is not None:
            reason = str(refusal).rpartition("Error: ")[2].rstrip(".")
            raise UserError(f"Kafka at {servers_of(where)} refuses us: {reason}. Check KAFKA_SASL_*.") from error
        raise KafkaUnavailable(does_not_answer(where)) from error
    finally:
        attempt.errors.clear()


class _Attempt:
    """The network client of a constructor at work, and why its connections failed."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self._network: Any = None

    def connect(self, **config: Any) -> Any:
        self._network = KafkaNetClient(**config)
        manager = self._network._manager
        get_connection = manager.get_connection

        def watched(*args: Any, **options: Any) -> Any:
            connection = get_connection(*args, **options)
            if not manager.bootstrapped:
                connection.init_future.add_errback(self.errors.append)
            return connection

        manager.get_connection = watched
        return self._network

    def abandon(self) -> None:
        if self._network is not None:
            self._network.close()
