"""How we talk to Kafka: settings turned into kafka-python's options, and the tuning that was measured to pay."""

from typing import Any

from twinstream.addresses import is_loopback
from twinstream.settings import Settings

MEBIBYTE = 1024 * 1024
MAX_SOURCE_RECORD_BYTES = 16 * MEBIBYTE
MAX_OUTPUT_RECORD_BYTES = 24 * MEBIBYTE
"""A dead letter of the largest source record: base64 and its envelope make it up to 1.4 times as large."""

ANSWER_TIMEOUT_MS = 5_000
"""How long a broker may be silent before a caller hears that Kafka does not answer."""

TRANSACTION_TIMEOUT_MS = 15_000
"""How long the transaction of a worker that was killed and is not restarted holds others up. Ours take milliseconds."""


def connection_options(where: Settings | str) -> dict[str, Any]:
    """Address and security, for every kind of client; `where` is the settings or just `host:port[,host:port]`."""
    options: dict[str, Any] = {
        "client_id": "twinstream",
        "bootstrap_timeout_ms": ANSWER_TIMEOUT_MS,
        "request_timeout_ms": 15_000,
        # The default waits up to 30 s between attempts: a broker that is back would stay unnoticed for as long.
        "reconnect_backoff_max_ms": 1_000,
    }
    if isinstance(where, str):
        return options | {"bootstrap_servers": where.split(",")}
    options["bootstrap_servers"] = where.kafka_servers.split(",")
    options["security_protocol"] = where.kafka_security_protocol
    if where.kafka_security_protocol.startswith("SASL"):
        assert where.kafka_sasl_password is not None  # the settings see to it
        options["sasl_mechanism"] = where.kafka_sasl_mechanism
        options["sasl_plain_username"] = where.kafka_sasl_username
        options["sasl_plain_password"] = where.kafka_sasl_password.get_secret_value()
    for name in ("cafile", "certfile", "keyfile"):
        path = getattr(where, f"kafka_ssl_{name}")
        if path is not None:
            options[f"ssl_{name}"] = str(path)
    if where.kafka_ssl_password is not None:
        options["ssl_password"] = where.kafka_ssl_password.get_secret_value()
    return options


def servers_of(where: Settings | str) -> str:
    """The brokers' addresses, for messages."""
    return where if isinstance(where, str) else where.kafka_servers


def does_not_answer(where: Settings | str, reason: str = "") -> str:
    """The one line a user sees when no broker answers."""
    servers = servers_of(where)
    local = all(is_loopback(server.rpartition(":")[0]) for server in servers.split(","))
    remedy = 'Start it with "make up" or set KAFKA_SERVERS.' if local else "Start it, or correct the address."
    named = where.named("kafka_servers") if isinstance(where, Settings) else "KAFKA_SERVERS"
    return f"Kafka does not answer at {servers}{f': {reason}' if reason else ''} ({named}). {remedy}"


READER_OPTIONS: dict[str, Any] = {
    "isolation_level": "read_committed",
    "enable_auto_commit": False,
    # Never jump silently: a position that is gone is an error that the caller decides about.
    "auto_offset_reset": "none",
    "allow_auto_create_topics": False,
    "metrics_enabled": False,
    # One fetch per broker is in flight at a time, and a partition that was just resumed waits for it to end.
    "fetch_max_wait_ms": 100,
    "max_partition_fetch_bytes": MEBIBYTE,
    "fetch_max_bytes": 2 * MAX_SOURCE_RECORD_BYTES,
    "retry_backoff_ms": 5,
    # How soon new partitions are noticed.
    "metadata_max_age_ms": 5_000,
}

MEMBER_OPTIONS: dict[str, Any] = READER_OPTIONS | {
    # A killed worker that is not restarted keeps its partitions this long. (Restarted, it takes them back at once.)
    "session_timeout_ms": 10_000,
    # A rebalance starts when the members' next heartbeats are answered.
    "heartbeat_interval_ms": 500,
    "max_poll_interval_ms": 60_000,
}

WRITER_OPTIONS: dict[str, Any] = {
    "acks": "all",
    "allow_auto_create_topics": False,
    "metrics_enabled": False,
    "linger_ms": 0,
    "max_request_size": 2 * MAX_OUTPUT_RECORD_BYTES,
    "max_block_ms": 15_000,
    "delivery_timeout_ms": 20_000,
    # Also the wait between two tries while the broker still finishes the previous transaction.
    "retry_backoff_ms": 2,
    "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS,
    # On one machine no codec pays. Over a network lz4 would: 2.6 times fewer bytes for a tenth of a record's cost here.
    "compression_type": None,
}
