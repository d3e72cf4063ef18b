"""Building kafka-python's clients so that a broker that is away costs five seconds, one line and nothing else."""

from typing import Any

from kafka.errors import (
    IllegalSaslStateError,
    KafkaConfigurationError,
    KafkaError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient

from twinstream.errors import UserError
from twinstream.log.contract import KafkaUnavailable
from twinstream.log.kafka.client_options import servers_of
from twinstream.log.kafka.diagnosis import advertised_by, diagnosis
from twinstream.log.kafka.tls import tls_context
from twinstream.settings import Settings

_REFUSALS = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, IllegalSaslStateError)


def build_client(kind: Any, where: Settings | str, options: dict[str, Any]) -> Any:
    """`kind(**options)`; on failure nothing of it is left, and the error says what to do.

    Left to itself, a constructor that fails leaves its network thread running, and a wrong password looks like a broker
    that is away.
    """
    if isinstance(where, Settings) and where.kafka_security_protocol.endswith("SSL"):
        tls_context(where)  # to name a file that is wrong; the client would take it for a broker that is away
    attempt = _Attempt()
    try:
        return kind(**options, kafka_client=attempt.connect)
    except (KafkaError, OSError) as error:
        attempt.abandon()
        if isinstance(error, KafkaConfigurationError):
            raise
        refusal = next((each for each in [error, *attempt.errors] if isinstance(each, _REFUSALS)), None)
        if isinstance(refusal, IllegalSaslStateError):
            raise UserError(
                f"Kafka at {servers_of(where)} asks for no password there. Set KAFKA_SECURITY_PROTOCOL to "
                f"{'SSL' if options['security_protocol'] == 'SASL_SSL' else 'PLAINTEXT'}, or use its port for SASL."
            ) from error
        if refusal is not None:
            reason = str(refusal).rpartition("Error: ")[2].rstrip(".")
            if isinstance(refusal, UnsupportedSaslMechanismError):
                reason = f"it does not have the SASL mechanism {options['sasl_mechanism']}"
            raise UserError(f"Kafka at {servers_of(where)} refuses us: {reason}. Check KAFKA_SASL_*.") from error
        raise KafkaUnavailable(diagnosis(where, attempt.advertised)) from error
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
        build_transport = manager._build_transport

        async def build_patient(*args: Any, **options: Any) -> Any:
            return _read_to_the_end(await build_transport(*args, **options))

        manager._build_transport = build_patient
        return self._network

    @property
    def advertised(self) -> list[tuple[str, int]]:
        """The brokers' addresses, as far as one has told them."""
        return advertised_by(self._network)

    def abandon(self) -> None:
        if self._network is not None:
            self._network.close()


def _read_to_the_end(transport: Any) -> Any:
    """Let a connection deliver what came together with its end: a broker's reason for refusing a password, say.

    The client would throw it away, and try again until its time is over.
    """
    receive = transport._sock_recv

    def data_first() -> tuple[bytes, Exception | None]:
        data, error = receive()
        return data, None if data else error

    transport._sock_recv = data_first
    return transport
