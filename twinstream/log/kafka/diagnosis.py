"""Why Kafka cannot be used, in one line: looks at what is at the addresses."""

import socket
import ssl
import struct
from collections.abc import Iterable

from twinstream.log.kafka.client_options import does_not_answer, servers_of
from twinstream.log.kafka.tls import tls_context
from twinstream.probing import NO_TLS, TIMEOUT_S, speaks_tls, tls_failure, unreachable
from twinstream.settings import Settings

Address = tuple[str, int]


def diagnosis(where: Settings | str, advertised: Iterable[Address] = ()) -> str:
    """One line for a Kafka that could not be talked to; takes some seconds at most.

    Args:
        where: the settings, or just `host:port`.
        advertised: the addresses that a broker has given for itself and the others, if it got so far.
    """
    addresses = [_parsed(server) for server in servers_of(where).split(",")]
    reasons = {address: unreachable(*address) for address in addresses}
    answering = next((address for address, reason in reasons.items() if reason is None), None)
    if answering is None:
        return does_not_answer(where, reasons[addresses[0]] or "")
    name = f"{answering[0]}:{answering[1]}"
    protocol = where.kafka_security_protocol if isinstance(where, Settings) else "PLAINTEXT"
    if isinstance(where, Settings) and protocol.endswith("SSL"):
        broken = _tls_trouble(where, answering)
        if broken is not None:
            return f"Kafka at {name} cannot be talked to by TLS: {broken}"
    elif speaks_tls(*answering):
        wanted = "SASL_SSL" if protocol.startswith("SASL") else "SSL"
        return f"Kafka at {name} wants TLS. Set KAFKA_SECURITY_PROTOCOL={wanted}."
    for host, port in advertised:
        reason = unreachable(host, port)
        if reason is not None:
            return (
                f"Kafka answers at {name}, but calls itself {host}:{port}, which cannot be reached: {reason}. "
                "Set the broker's advertised.listeners to an address that this machine reaches."
            )
    if not advertised and protocol == "PLAINTEXT":
        if not _speaks_kafka(answering):
            return f"What answers at {name} does not speak Kafka's protocol. Correct {_named(where)}."
        return (
            f"Kafka at {name} ends the connection. If it asks for a password, set KAFKA_SASL_* and "
            "KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT."
        )
    return does_not_answer(where)


def advertised_by(client: object) -> list[Address]:
    """The brokers' addresses that a client has been told."""
    cluster = getattr(getattr(client, "_manager", None), "cluster", None)
    return [(broker.host, broker.port) for broker in cluster.brokers()] if cluster is not None else []


def _tls_trouble(settings: Settings, address: Address) -> str | None:
    try:
        with (
            socket.create_connection(address, TIMEOUT_S) as plain,
            tls_context(settings).wrap_socket(plain, server_hostname=address[0]) as encrypted,
        ):
            encrypted.settimeout(0.5)
            encrypted.recv(1)  # a server that wants another certificate says so only now
    except ssl.SSLError as error:
        failure = tls_failure(error)
    except TimeoutError:
        return None
    except OSError:
        failure = NO_TLS
    else:
        return None
    return f"{failure}. {_tls_remedy(failure, settings)}"


def _tls_remedy(failure: str, settings: Settings) -> str:
    if failure == NO_TLS:
        plain = "SASL_PLAINTEXT" if settings.kafka_security_protocol.startswith("SASL") else "PLAINTEXT"
        return f"Set KAFKA_SECURITY_PROTOCOL={plain}."
    if "trusted" in failure:
        return f"Correct {settings.named('kafka_ssl_cafile')}: it has to hold the authority that signed."
    return f"Correct {settings.named('kafka_ssl_certfile', 'kafka_ssl_keyfile')}."


def _speaks_kafka(address: Address) -> bool:
    """Whether a request for the supported versions is answered with its own number."""
    number = 1907
    request = struct.pack(">hhih", 18, 0, number, -1)
    try:
        with socket.create_connection(address, TIMEOUT_S) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(8)
    except OSError:
        return False
    return len(answer) == 8 and struct.unpack(">i", answer[4:])[0] == number


def _parsed(server: str) -> Address:
    host, _, port = server.rpartition(":")
    return host, int(port)


def _named(where: Settings | str) -> str:
    return where.named("kafka_servers") if isinstance(where, Settings) else "KAFKA_SERVERS"
