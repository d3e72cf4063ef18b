"""What Flink and its Kafka clients are told."""

from pathlib import Path

import pytest

from twinstream.job import sql
from twinstream.job.options import (
    JobOptions,
    consumer_properties,
    job_configuration,
    kafka_properties,
    producer_properties,
)
from twinstream.job.sources import PartitionKey, SourceGroup, SourceTopic
from twinstream.log.topics import DEAD_LETTER_BYTES
from twinstream.settings import Settings


def test_checkpoints_and_parallelism_follow_settings_and_options() -> None:
    options = JobOptions("file:///state", "process", 3, savepoint="file:///state/savepoints/one")
    told = job_configuration(Settings(checkpoint_interval_ms=1234), options)
    assert told["execution.checkpointing.interval"] == "1234 ms"
    assert told["execution.checkpointing.dir"] == "file:///state/checkpoints"
    assert told["execution.state-recovery.path"] == "file:///state/savepoints/one"
    assert (told["parallelism.default"], told["python.execution-mode"]) == ("3", "process")


def test_without_a_savepoint_nothing_is_restored() -> None:
    assert "execution.state-recovery.path" not in job_configuration(Settings(), JobOptions("file:///state"))


def test_source_reads_committed_records_in_a_group_beside_the_loops() -> None:
    told = consumer_properties(Settings(consumer_group="one"), "orders")
    assert (told["isolation.level"], told["group.id"]) == ("read_committed", "one-flink")


def test_sink_lets_the_dead_letter_of_the_largest_record_through() -> None:
    assert int(producer_properties(Settings())["max.request.size"]) >= DEAD_LETTER_BYTES


@pytest.mark.parametrize(
    ("mechanism", "module"), [("PLAIN", "plain.PlainLoginModule"), ("SCRAM-SHA-512", "scram.ScramLoginModule")]
)
def test_sasl_is_told_in_the_terms_of_the_shaded_client(mechanism: str, module: str) -> None:
    settings = Settings(
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism=mechanism,  # type: ignore[arg-type]
        kafka_sasl_username="me",
        kafka_sasl_password='se"cret',  # type: ignore[arg-type]
    )
    told = kafka_properties(settings)
    assert told["sasl.jaas.config"] == (
        f"org.apache.flink.kafka.shaded.org.apache.kafka.common.security.{module} required "
        'username="me" password="se\\"cret";'
    )


def test_client_certificates_are_handed_over_as_pem(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_text("CERT")
    key.write_text("KEY")
    settings = Settings(
        kafka_security_protocol="SSL",
        kafka_ssl_cafile=tmp_path / "ca.pem",
        kafka_ssl_certfile=certificate,
        kafka_ssl_keyfile=key,
    )
    told = kafka_properties(settings)
    assert (told["ssl.keystore.certificate.chain"], told["ssl.keystore.key"]) == ("CERT", "KEY")
    assert told["ssl.truststore.location"] == str(tmp_path / "ca.pem")


def test_a_partition_beyond_the_planned_ones_has_the_key_without_salt() -> None:
    orders = SourceTopic("orders", "topic-id", 1, (SourceGroup("orders", "order", "epoch"),))
    name = orders.reading
    view = sql.records_view({orders: [PartitionKey(name, 0).text(5)]})
    assert f"WHEN 0 THEN '{name}.0.5' ELSE CONCAT('{name}.', CAST(source_partition AS STRING)) END" in view
    assert PartitionKey(name, 77).text() == f"{name}.77"
