"""How settings reach the Kafka client."""

from pathlib import Path
from typing import Any

import pytest
from kafka.errors import SaslAuthenticationFailedError

from twinstream.errors import UserError
from twinstream.log.kafka.client_options import connection_options, does_not_answer
from twinstream.log.kafka.connecting import build_client
from twinstream.settings import load_settings


def test_servers_alone_are_enough() -> None:
    options = connection_options("one:9092,two:9092")
    assert options["bootstrap_servers"] == ["one:9092", "two:9092"]
    assert "security_protocol" not in options


def test_tls_and_sasl_are_passed_on() -> None:
    settings = load_settings(
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="SCRAM-SHA-512",
        kafka_sasl_username="worker",
        kafka_sasl_password="secret",
        kafka_ssl_cafile=Path("ca.pem"),
        kafka_ssl_certfile=Path("cert.pem"),
        kafka_ssl_keyfile=Path("key.pem"),
        kafka_ssl_password="key secret",
    )
    options = connection_options(settings)
    assert {name: value for name, value in options.items() if name.startswith(("sasl", "ssl", "security"))} == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "worker",
        "sasl_plain_password": "secret",
        "ssl_cafile": "ca.pem",
        "ssl_certfile": "cert.pem",
        "ssl_keyfile": "key.pem",
        "ssl_password": "key secret",
    }


def test_absent_broker_is_one_line_with_the_remedy() -> None:
    assert does_not_answer("localhost:9092") == (
        'Kafka does not answer at localhost:9092 (KAFKA_SERVERS). Start it with "make up" or set KAFKA_SERVERS.'
    )


def test_absent_broker_elsewhere_is_not_started_here() -> None:
    settings = load_settings(kafka_servers="broker.example:9092")
    assert does_not_answer(settings, "no answer") == (
        "Kafka does not answer at broker.example:9092: no answer (KAFKA_SERVERS, from a flag). "
        "Start it, or correct the address."
    )


def test_refused_password_is_not_told_as_a_missing_broker() -> None:
    def refused(**_: Any) -> None:
        raise SaslAuthenticationFailedError("Authentication failed: Invalid username or password")

    with pytest.raises(UserError, match=r"^Kafka at localhost:9092 refuses us: .*password\. Check KAFKA_SASL_\*\.$"):
        build_client(refused, "localhost:9092", {})
