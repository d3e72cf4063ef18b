"""Kafka as a local process: what it needs, the topics and their limits, and coming back after a crash."""

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource
from kafka.errors import MessageSizeTooLargeError, UnknownTopicOrPartitionError

from deploy.local import LocalKafka, free_port
from deploy.local.paths import KAFKA
from tests.reference import REGISTRY
from twinstream.errors import UserError
from twinstream.local.daemon import Daemon
from twinstream.local.jars import MissingTool
from twinstream.log.topics import (
    DEAD_LETTER_BYTES,
    all_topics,
    create_topics,
    dead_letter_topic,
    ensure_topics,
    source_topic,
)

MEBIBYTE = 1024 * 1024


def produce(servers: str, topic: str, value: bytes, key: bytes | None = None, codec: str | None = None) -> int:
    """Send one record and return its offset."""
    producer = KafkaProducer(
        bootstrap_servers=servers, acks="all", max_request_size=64 * MEBIBYTE, compression_type=codec
    )
    try:
        offset: int = producer.send(topic, value, key, partition=0).get(timeout=30).offset
        return offset
    finally:
        producer.close()


def consume(servers: str, topic: str) -> list[bytes]:
    """The values of partition 0."""
    partition = TopicPartition(topic, 0)
    consumer = KafkaConsumer(
        bootstrap_servers=servers, auto_offset_reset="earliest", max_partition_fetch_bytes=64 * MEBIBYTE
    )
    try:
        consumer.assign([partition])
        end = consumer.end_offsets([partition])[partition]
        values: list[bytes] = []
        while consumer.position(partition) < end:
            values += [record.value for record in consumer.poll(timeout_ms=1_000).get(partition, [])]
        return values
    finally:
        consumer.close()


def test_all_topics_are_created_once(kafka_broker: LocalKafka, unique: Callable[[str], str]) -> None:
    prefix = unique("run") + "."
    ensure_topics(kafka_broker.servers, REGISTRY)
    created = ensure_topics(kafka_broker.servers, REGISTRY, prefix)
    outputs = {"features.transaction", "features.order", "features.clickstream"}
    outputs |= {"transactions.dlq", "orders.dlq", "clickstream.dlq"}
    assert set(created) == {prefix + name for name in outputs}
    assert ensure_topics(kafka_broker.servers, REGISTRY, prefix) == ()


def test_topics_have_four_partitions_and_source_topics_the_brokers_timestamps(fresh_topics: LocalKafka) -> None:
    admin = KafkaAdminClient(bootstrap_servers=fresh_topics.servers)
    try:
        names = [topic.name for topic in all_topics(REGISTRY)]
        found = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(names)}
        configs = admin.describe_configs([ConfigResource("topic", name) for name in names])["topic"]
    finally:
        admin.close()
    assert found == dict.fromkeys(names, 4)
    for source in ("transactions", "orders", "clickstream"):
        assert configs[source]["message.timestamp.type"]["value"] == "LogAppendTime"
        assert int(configs[source]["max.message.bytes"]["value"]) > 16 * MEBIBYTE
        assert int(configs[f"{source}.dlq"]["max.message.bytes"]["value"]) == DEAD_LETTER_BYTES


def test_largest_record_and_its_dead_letter_fit(kafka_broker: LocalKafka, unique: Callable[[str], str]) -> None:
    source = source_topic(unique("large"))
    dead_letters = dead_letter_topic(source.name)
    create_topics(kafka_broker.servers, [source, dead_letters])
    produce(kafka_broker.servers, source.name, bytes(16 * MEBIBYTE), b"card")
    dead_letter = bytes(16 * MEBIBYTE * 7 // 5)
    produce(kafka_broker.servers, dead_letters.name, dead_letter, b"card")
    assert consume(kafka_broker.servers, dead_letters.name) == [dead_letter]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_record_above_the_limit_does_not_slip_in_compressed(
    codec: str, kafka_broker: LocalKafka, unique: Callable[[str], str]
) -> None:
    source = source_topic(unique("packed"))
    create_topics(kafka_broker.servers, [source])
    produce(kafka_broker.servers, source.name, bytes(16 * MEBIBYTE), codec=codec)
    with pytest.raises(MessageSizeTooLargeError):
        produce(kafka_broker.servers, source.name, bytes(20 * MEBIBYTE), codec=codec)


def test_mistyped_topic_is_an_error_and_not_a_new_topic(kafka_broker: LocalKafka, unique: Callable[[str], str]) -> None:
    name = unique("mistyped")
    admin = KafkaAdminClient(bootstrap_servers=kafka_broker.servers)
    try:
        with pytest.raises(UnknownTopicOrPartitionError):
            admin.delete_topics([name])
        admin.describe_topics([name])
        assert name not in admin.list_topics()
    finally:
        admin.close()


def test_records_survive_a_crash_of_the_broker(kafka_broker: LocalKafka, new_topic: Callable[..., str]) -> None:
    topic = new_topic()
    produce(kafka_broker.servers, topic, b"before")
    kafka_broker.kill()
    assert kafka_broker.pid is None
    kafka_broker.start()
    produce(kafka_broker.servers, topic, b"after")
    assert consume(kafka_broker.servers, topic) == [b"before", b"after"]


def test_running_broker_is_not_started_again(kafka_broker: LocalKafka) -> None:
    pid = kafka_broker.pid
    assert not kafka_broker.start()
    assert kafka_broker.pid == pid


def test_taken_port_is_one_line_that_names_the_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        broker = LocalKafka(tmp_path, taken.getsockname()[1])
        with pytest.raises(UserError, match=r"^Port \d+ is in use by .*KAFKA_SERVERS"):
            broker.start()


def test_data_of_a_newer_kafka_is_one_line_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Kafka 4.2 says of the data of 4.3; there is no writing such data with the version that is pinned."""

    def end_as_it_does(*_: object, **__: object) -> None:
        raise UserError(
            "kafka ended while starting: Caused by: org.apache.kafka.common.errors.UnsupportedVersionException: "
            "Can't read version 4 of BrokerEndpoint (see kafka.log)."
        )

    monkeypatch.setattr(Daemon, "start", end_as_it_does)
    with pytest.raises(UserError, match=r"/data was written by a newer Kafka .*deploy\.local down --wipe"):
        LocalKafka(tmp_path, free_port()).start()


def test_missing_java_is_one_line_that_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MissingTool, match=r"^Kafka needs Java, which was not found on PATH\. Install Java 17 .*\.$"):
        LocalKafka(tmp_path, free_port()).start()


def test_old_java_is_refused_by_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingTool, match=r"^Kafka needs Java 17 or newer; .*java is 11\. Install"):
        KAFKA.require_tools()


def test_missing_maven_matters_only_until_the_jars_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KAFKA.fetch()
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"17\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    KAFKA.require_tools()
    elsewhere = replace(KAFKA, kept_in=tmp_path)
    with pytest.raises(MissingTool, match=r"^Kafka's jars are fetched by Maven, and mvn was not found on PATH\. "):
        elsewhere.require_tools()


def test_failure_of_maven_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho '[ERROR] no such jar'\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(UserError, match=r"^Maven could not fetch Kafka's jars: no such jar$"):
        replace(KAFKA, kept_in=tmp_path).fetch()
