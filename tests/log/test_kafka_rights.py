"""A Kafka with access control: a right that is missing is one line that names it, at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.admin import ACLResourcePatternType as PatternType
from tenacity import retry, stop_after_delay, wait_fixed

from deploy.local import LocalKafka, LocalRedis, free_port, kafka
from deploy.local.broker import server_properties
from tests.reference import BY_TOPIC, REGISTRY
from tests.waiting import wait_until
from twinstream.job.command import prepare
from twinstream.log.kafka import NotAllowed, TopicAdmin, read_topic
from twinstream.log.topics import ensure_topics
from twinstream.loop.worker import kafka_loop
from twinstream.settings import Settings

ALICE = "User:alice"

Right = tuple[ACLOperation, ResourceType, str]

SOURCES = [(operation, ResourceType.TOPIC, topic) for topic in BY_TOPIC for operation in ("READ", "DESCRIBE_CONFIGS")]


class Guarded:
    """A broker that lets its administrator do everything, and alice what she has been granted."""

    def __init__(self, broker: LocalKafka, port: int, redis_server: LocalRedis, slots: Path) -> None:
        self.broker = broker
        self._admin = KafkaAdminClient(bootstrap_servers=broker.servers)
        self.settings = Settings(
            kafka_servers=f"localhost:{port}",
            kafka_security_protocol="SASL_PLAINTEXT",
            kafka_sasl_mechanism="PLAIN",
            kafka_sasl_username="alice",
            kafka_sasl_password="wonderland",
            redis_port=redis_server.port,
            redis_host="127.0.0.1",
            consumer_group="rabbit",
        )
        ensure_topics(broker.servers, REGISTRY)
        with redis_server.client() as client:
            client.flushall()  # what other tests have left has another writer

    def needed(self) -> set[Right]:
        """All that the loop needs, and the job."""
        outputs = [f"features.{group.name}" for group in BY_TOPIC.values()] + [f"{topic}.dlq" for topic in BY_TOPIC]
        return {
            *((ACLOperation[name], kind, topic) for name, kind, topic in SOURCES),
            *((ACLOperation.WRITE, ResourceType.TOPIC, name) for name in outputs),
            *((ACLOperation.READ, ResourceType.GROUP, name) for name in ("rabbit", "rabbit-flink")),
            (ACLOperation.WRITE, ResourceType.TRANSACTIONAL_ID, "rabbit-"),
        }

    def allow(self, rights: set[Right]) -> None:
        """Let alice do just this."""
        everything = ResourcePatternFilter(ResourceType.ANY, None, PatternType.ANY)
        self._admin.delete_acls([ACLFilter(ALICE, "*", ACLOperation.ANY, ACLPermissionType.ANY, everything)])
        acls = [
            ACL(ALICE, "*", operation, ACLPermissionType.ALLOW, ResourcePattern(kind, name, _pattern(kind)))
            for operation, kind, name in rights
        ]
        self._admin.create_acls(acls)
        wait_until(lambda: self._granted(everything) == rights, "just these rights are granted")

    def _granted(self, everything: Any) -> set[Right]:
        found, _ = self._admin.describe_acls(ACLFilter(ALICE, "*", ACLOperation.ANY, ACLPermissionType.ANY, everything))
        patterns = [(acl.operation, acl.resource_pattern) for acl in found]
        return {(operation, pattern.resource_type, pattern.resource_name) for operation, pattern in patterns}

    def close(self) -> None:
        self._admin.close()


def _pattern(kind: ResourceType) -> PatternType:
    return PatternType.PREFIXED if kind is ResourceType.TRANSACTIONAL_ID else PatternType.LITERAL


@pytest.fixture(scope="module")
def guarded(redis_server: LocalRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    port, directory = free_port(), tmp_path_factory.mktemp("guarded")

    def with_access_control(own_port: int, controller_port: int, data: Path) -> str:
        return server_properties(own_port, controller_port, data) + "\n".join(
            [
                f"listeners=PLAINTEXT://127.0.0.1:{own_port},SASL_PLAINTEXT://127.0.0.1:{port},"
                f"CONTROLLER://127.0.0.1:{controller_port}",
                f"advertised.listeners=PLAINTEXT://127.0.0.1:{own_port},SASL_PLAINTEXT://localhost:{port}",
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
                "sasl.enabled.mechanisms=PLAIN",
                "listener.name.sasl_plaintext.plain.sasl.jaas.config="
                'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="wonderland";',
                "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users=User:ANONYMOUS",
            ]
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka, "server_properties", with_access_control)
        broker = LocalKafka(directory, free_port())
        broker.start()
    guarded = Guarded(broker, port, redis_server, directory)
    yield guarded
    guarded.close()
    broker.kill()


MISSING = {
    "Read on topic orders": (ACLOperation.READ, ResourceType.TOPIC, "orders"),
    "DescribeConfigs on topic clickstream": (ACLOperation.DESCRIBE_CONFIGS, ResourceType.TOPIC, "clickstream"),
    "Write on topic features.order": (ACLOperation.WRITE, ResourceType.TOPIC, "features.order"),
    "Write on topic transactions.dlq": (ACLOperation.WRITE, ResourceType.TOPIC, "transactions.dlq"),
    "Read on group rabbit": (ACLOperation.READ, ResourceType.GROUP, "rabbit"),
    "Write on transactional-id rabbit-": (ACLOperation.WRITE, ResourceType.TRANSACTIONAL_ID, "rabbit-"),
}


@pytest.mark.parametrize("named", MISSING)
def test_a_right_that_the_loop_lacks_is_named_at_its_start(guarded: Guarded, named: str) -> None:
    guarded.allow(guarded.needed() - {MISSING[named]})
    with pytest.raises(NotAllowed) as refusal:
        kafka_loop(guarded.settings, REGISTRY)
    said = str(refusal.value)
    assert said.startswith(f"Kafka at localhost:{guarded.settings.kafka_servers[10:]} does not let User:alice do what")
    assert f": {named}" in said
    assert "kafka-acls.sh" in said
    assert "\n" not in said
    assert "wonderland" not in said


@pytest.mark.parametrize(
    ("named", "missing"),
    [
        ("Read on topic orders", MISSING["Read on topic orders"]),
        ("Write on topic features.order", MISSING["Write on topic features.order"]),
        ("Read on group rabbit-flink", (ACLOperation.READ, ResourceType.GROUP, "rabbit-flink")),
        ("Write on transactional-id rabbit-flink-", MISSING["Write on transactional-id rabbit-"]),
    ],
)
def test_a_right_that_the_job_lacks_is_named_before_it_is_submitted(
    guarded: Guarded, named: str, missing: Right
) -> None:
    guarded.allow(guarded.needed() - {missing})
    with pytest.raises(NotAllowed, match=named):
        prepare(guarded.settings, REGISTRY)


def test_everything_that_is_missing_is_in_one_line(guarded: Guarded) -> None:
    guarded.allow(set())
    with pytest.raises(NotAllowed) as refusal:
        kafka_loop(guarded.settings, REGISTRY)
    for right in ("Read on topic orders", "Write on topic orders.dlq", "Read on group rabbit"):
        assert right in str(refusal.value)


def test_a_topic_that_is_missing_and_may_not_be_created_is_named(guarded: Guarded) -> None:
    elsewhere = guarded.settings.model_copy(update={"output_prefix": "new."})
    new = {(operation, kind, f"new.{name}") for operation, kind, name in guarded.needed() if kind is ResourceType.TOPIC}
    guarded.allow(guarded.needed() | new)
    with pytest.raises(NotAllowed, match=r"Create on topic new\.features\.\w+\. Grant"):
        kafka_loop(elsewhere, REGISTRY)


def test_an_output_that_may_not_be_widened_is_named(guarded: Guarded) -> None:
    with TopicAdmin(guarded.broker.servers) as admin:
        admin.create("narrow.features.order", 1)
    narrow = {
        (operation, kind, f"narrow.{name}") for operation, kind, name in guarded.needed() if kind is ResourceType.TOPIC
    }
    guarded.allow(guarded.needed() | narrow | {(ACLOperation.CREATE, ResourceType.CLUSTER, "kafka-cluster")})
    with pytest.raises(NotAllowed, match=r"Alter on topic narrow\.features\.order\. Grant"):
        kafka_loop(guarded.settings.model_copy(update={"output_prefix": "narrow."}), REGISTRY)


@pytest.mark.parametrize("named", ["Read on topic orders", "Write on topic orders.dlq", "Read on group rabbit"])
def test_a_right_that_is_taken_away_under_a_live_worker_ends_it_with_the_line(guarded: Guarded, named: str) -> None:
    guarded.allow(guarded.needed())
    loop = kafka_loop(guarded.settings, REGISTRY)
    producer = KafkaProducer(bootstrap_servers=guarded.broker.servers)
    try:
        loop.run(loop.caught_up)
        missing = (ACLOperation[named.split()[0].upper()], ResourceType[named.split()[2].upper()], named.split()[3])
        guarded.allow(guarded.needed() - {missing})

        def more_and_never() -> bool:
            for _ in range(20):
                producer.send("orders", b"rubbish")
            return False

        with pytest.raises(NotAllowed, match=named):
            loop.run(more_and_never)
    finally:
        producer.close()
        loop.log.close()


def test_a_worker_with_just_its_rights_runs(guarded: Guarded) -> None:
    guarded.allow(guarded.needed())
    loop = kafka_loop(guarded.settings, REGISTRY)
    try:
        loop.run(loop.caught_up)
        assert loop.totals.recoveries == 0
    finally:
        loop.log.close()


@retry(stop=stop_after_delay(30), wait=wait_fixed(0.1), reraise=True)
def test_a_tool_that_may_not_read_a_topic_says_so(guarded: Guarded) -> None:
    guarded.allow({(ACLOperation.DESCRIBE, ResourceType.TOPIC, "orders")})
    with TopicAdmin(guarded.broker.servers), pytest.raises(NotAllowed, match="Read on topic orders"):
        list(read_topic(guarded.settings, "orders"))
