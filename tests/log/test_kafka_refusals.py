"""What is wrong between us and Kafka is named: address, TLS, password, the broker's own idea of its address.

One broker with a listener for each way in, each with a port of its own.
"""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from deploy.local import LocalKafka, broker, free_port
from tests.certificates import Authority
from twinstream.errors import UserError
from twinstream.log.kafka import TopicAdmin, end_offsets
from twinstream.log.kafka.tls import tls_context
from twinstream.settings import load_settings

LISTENERS = {
    "PLAINTEXT": "PLAINTEXT",
    "AWAY": "PLAINTEXT",
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "PASSWORD": "SASL_PLAINTEXT",
    "BOTH": "SASL_SSL",
}
Ports = dict[str, int]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Ports]:
    """The ports of a broker's listeners by name. AWAY calls itself by an address where nobody is."""
    ports = {name: free_port() for name in LISTENERS}
    certificate, key = authority.issue("broker")
    pair = authority.folder / "broker-pair.pem"
    pair.write_bytes(key.read_bytes() + certificate.read_bytes())
    login = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_worker="hunter2" ;'
    controller = free_port()
    addresses = [f"{name}://127.0.0.1:{port}" for name, port in ports.items()]
    advertised = dict(ports) | {"AWAY": free_port()}
    protocols = [f"{name}:{protocol}" for name, protocol in LISTENERS.items()]
    properties = {
        "listeners": ",".join([*addresses, f"CONTROLLER://127.0.0.1:{controller}"]),
        "advertised.listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in advertised.items()),
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listener.security.protocol.map": ",".join([*protocols, "CONTROLLER:PLAINTEXT"]),
        "inter.broker.listener.name": "PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": pair,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": authority.ca,
        "listener.name.mutual.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.password.plain.sasl.jaas.config": login,
        "listener.name.both.plain.sasl.jaas.config": login,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broker, "BROKER_PROPERTIES", broker.BROKER_PROPERTIES | properties)
        kafka = LocalKafka(tmp_path_factory.mktemp("listeners"), ports["PLAINTEXT"])
        kafka.start()
    yield ports
    kafka.kill()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker on this machine that has not answered within two seconds never does."""
    monkeypatch.setattr("twinstream.log.kafka.client_options.ANSWER_TIMEOUT_MS", 2_000)


PASSWORD: dict[str, Any] = {
    "kafka_sasl_mechanism": "PLAIN",
    "kafka_sasl_username": "worker",
    "kafka_sasl_password": "hunter2",
}


def attempt(port: int, **flags: Any) -> None:
    settings = load_settings(kafka_servers=f"127.0.0.1:{port}", **flags)
    with TopicAdmin(settings) as admin:
        admin.partitions()


def refusal(port: int, **flags: Any) -> str:
    with pytest.raises(UserError) as caught:
        attempt(port, **flags)
    message = str(caught.value)
    assert "\n" not in message
    assert "hunter2" not in message
    return message


def test_each_way_in_is_open_to_who_has_what_it_takes(ports: Ports, authority: Authority) -> None:
    certificate, key = authority.issue("worker", password="hunter2")
    attempt(ports["TLS"], kafka_security_protocol="SSL", kafka_ssl_cafile=authority.ca)
    attempt(
        ports["MUTUAL"],
        kafka_security_protocol="SSL",
        kafka_ssl_cafile=authority.ca,
        kafka_ssl_certfile=certificate,
        kafka_ssl_keyfile=key,
        kafka_ssl_password="hunter2",
    )
    attempt(ports["PASSWORD"], kafka_security_protocol="SASL_PLAINTEXT", **PASSWORD)
    attempt(ports["BOTH"], kafka_security_protocol="SASL_SSL", kafka_ssl_cafile=authority.ca, **PASSWORD)


def test_an_address_that_the_broker_gives_and_that_cannot_be_reached_is_named(ports: Ports) -> None:
    expected = f"Kafka answers at 127.0.0.1:{ports['AWAY']}, but calls itself 127.0.0.1:"
    message = refusal(ports["AWAY"])
    assert message.startswith(expected)
    assert "cannot be reached: nothing listens there. Set the broker's advertised.listeners" in message
    with pytest.raises(UserError, match=expected):
        end_offsets(f"127.0.0.1:{ports['AWAY']}", "transactions")


def test_tls_on_one_side_only_is_named(ports: Ports, authority: Authority) -> None:
    assert "wants TLS. Set KAFKA_SECURITY_PROTOCOL=SSL." in refusal(ports["TLS"])
    tls: dict[str, Any] = {"kafka_security_protocol": "SSL", "kafka_ssl_cafile": authority.ca}
    assert "it does not speak TLS. Set KAFKA_SECURITY_PROTOCOL=PLAINTEXT." in refusal(ports["PLAINTEXT"], **tls)


def test_an_authority_that_is_not_trusted_is_named(ports: Ports, tmp_path: Path) -> None:
    other = Authority(tmp_path).ca
    message = refusal(ports["TLS"], kafka_security_protocol="SSL", kafka_ssl_cafile=other)
    assert "its certificate is not trusted: " in message
    assert "Correct KAFKA_SSL_CAFILE, from a flag: it has to hold the authority that signed." in message
    assert "not trusted" in refusal(ports["TLS"], kafka_security_protocol="SSL")


def test_a_client_certificate_that_is_asked_for_is_named(ports: Ports, authority: Authority) -> None:
    message = refusal(ports["MUTUAL"], kafka_security_protocol="SSL", kafka_ssl_cafile=authority.ca)
    assert "it wants another client certificate" in message
    assert "KAFKA_SSL_CERTFILE, the default, and KAFKA_SSL_KEYFILE, the default." in message


def test_passwords_are_told_apart(ports: Ports) -> None:
    sasl: dict[str, Any] = PASSWORD | {"kafka_security_protocol": "SASL_PLAINTEXT"}
    wrong = refusal(ports["PASSWORD"], **sasl | {"kafka_sasl_password": "hunter22"})
    assert "refuses us" in wrong
    assert "Check KAFKA_SASL_*." in wrong
    assert "SCRAM-SHA-512" in refusal(ports["PASSWORD"], **sasl | {"kafka_sasl_mechanism": "SCRAM-SHA-512"})
    assert "If it asks for a password, set KAFKA_SASL_*" in refusal(ports["PASSWORD"])
    assert "asks for no password there. Set KAFKA_SECURITY_PROTOCOL to PLAINTEXT" in refusal(ports["PLAINTEXT"], **sasl)
    assert "wants TLS. Set KAFKA_SECURITY_PROTOCOL=SASL_SSL" in refusal(ports["BOTH"], **sasl)


def test_a_host_that_does_not_exist_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "nowhere.invalid:9092")
    with pytest.raises(UserError) as caught:
        TopicAdmin(load_settings())
    assert str(caught.value) == (
        "Kafka does not answer at nowhere.invalid:9092: the name cannot be resolved "
        "(KAFKA_BOOTSTRAP_SERVERS, from the environment). Start it, or correct the address."
    )


def test_another_protocol_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as web:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = web.accept()
                    with connection, suppress(OSError):
                        connection.recv(100)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert "does not speak Kafka's protocol. Correct KAFKA_SERVERS, from a flag." in refusal(web.getsockname()[1])
        web.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_files_of_tls_are_read_before_a_connection_is_made(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("one")
    _, encrypted = authority.issue("sealed", password="hunter2")
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("hunter2")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"kafka_ssl_cafile": tmp_path / "gone.pem"}, "cannot be read: no such file or directory (KAFKA_SSL_CAFILE,"),
        ({"kafka_ssl_cafile": tmp_path}, "cannot be read: is a directory (KAFKA_SSL_CAFILE, from a flag)."),
        ({"kafka_ssl_cafile": nothing}, "holds no certificate in PEM form (KAFKA_SSL_CAFILE, from a flag)."),
        ({"kafka_ssl_certfile": certificate, "kafka_ssl_keyfile": authority.issue("two")[1]}, "is not the key of"),
        ({"kafka_ssl_certfile": nothing, "kafka_ssl_keyfile": key}, "hold no certificate and key in PEM form"),
        ({"kafka_ssl_keyfile": key}, "Set KAFKA_SSL_CERTFILE, too."),
        ({"kafka_ssl_certfile": certificate, "kafka_ssl_keyfile": encrypted}, "is encrypted. Set KAFKA_SSL_PASSWORD."),
        (
            {"kafka_ssl_certfile": certificate, "kafka_ssl_keyfile": encrypted, "kafka_ssl_password": "hunter22"},
            "KAFKA_SSL_PASSWORD does not open",
        ),
    ]
    for flags, expected in cases:
        assert expected in refusal(free_port(), kafka_security_protocol="SSL", **flags)


def test_what_is_right_makes_a_context_that_verifies(authority: Authority) -> None:
    certificate, key = authority.issue("three")
    settings = load_settings(kafka_ssl_cafile=authority.ca, kafka_ssl_certfile=certificate, kafka_ssl_keyfile=key)
    context = tls_context(settings)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
