"""Retention passed what a command had read, or would read: it counts the records, and a person decides."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from structlog.testing import capture_logs

from deploy.local import LocalKafka
from tests.reference import GROUPS, REGISTRY
from twinstream.audit.rederive import Sample, rederive_run
from twinstream.core.vectors import encode_feature_record
from twinstream.errors import UserError
from twinstream.log.kafka import IfDeleted, RecordsDeleted
from twinstream.log.topics import Topic, create_topics
from twinstream.offline.backfill import backfill
from twinstream.offline.dataset import Dataset
from twinstream.offline.export import export
from twinstream.registry import Registry
from twinstream.settings import Settings
from twinstream.testing import Driver

TRANSACTION = GROUPS["transaction"]
PAYMENTS = [
    b'{"transaction_id":"t%d","card_id":"c","amount":1,"currency":"EUR","event_time":%d}'
    % (number, 1_700_000_000_000 + number)
    for number in range(20)
]


class Log:
    """Topics of one partition on a real broker; `delete` does what retention does."""

    def __init__(self, broker: LocalKafka) -> None:
        self.servers = broker.servers
        self._producer = KafkaProducer(bootstrap_servers=broker.servers)
        self._admin: Any = KafkaAdminClient(bootstrap_servers=broker.servers)

    def append(self, topic: str, values: list[bytes]) -> None:
        for value in values:
            self._producer.send(topic, value, partition=0)
        self._producer.flush()

    def delete(self, topic: str, before: int) -> None:
        self._admin.delete_records({TopicPartition(topic, 0): before})

    def commit(self, group: str, topic: str, offset: int) -> None:
        consumer = KafkaConsumer(bootstrap_servers=self.servers, group_id=group)
        consumer.assign([TopicPartition(topic, 0)])
        consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(offset, "", -1)})
        consumer.close()

    def close(self) -> None:
        self._producer.close()
        self._admin.close()


@pytest.fixture(scope="module")
def log(kafka_broker: LocalKafka) -> Iterator[Log]:
    log = Log(kafka_broker)
    yield log
    log.close()


@pytest.fixture
def settings(log: Log, unique: Callable[[str], str]) -> Settings:
    """Of a run with outputs and a group of its own."""
    settings = Settings(kafka_servers=log.servers, output_prefix=unique("run") + ".", consumer_group=unique("group"))
    create_topics(settings, [Topic(f"{settings.output_prefix}features.transaction", 1)])
    return settings


def feature_log() -> list[bytes]:
    driver = Driver()
    for payment in PAYMENTS:
        driver.send("transactions", payment)
    driver.run()
    return [encode_feature_record(record) for record in driver.feature_records("transaction")]


def test_an_export_names_what_was_deleted_since_the_last_one_and_goes_on_when_told(
    log: Log, settings: Settings, tmp_path: Path
) -> None:
    topic, records = f"{settings.output_prefix}features.transaction", feature_log()
    log.append(topic, records[:10])
    assert export(settings, TRANSACTION, tmp_path) == 10
    log.append(topic, records[10:])
    log.delete(topic, 15)
    with pytest.raises(RecordsDeleted, match=rf"5 records of {topic}-0 \(offsets 10 to 14\).*--if-log-lost continue"):
        export(settings, TRANSACTION, tmp_path)
    with capture_logs() as told:
        assert export(settings, TRANSACTION, tmp_path, if_deleted=IfDeleted.CONTINUE) == 5
    assert [line["gone"] for line in told] == [f"5 records of {topic}-0 (offsets 10 to 14)"]
    assert Dataset(tmp_path, TRANSACTION).scan().collect()["offset"].to_list() == [*range(10), *range(15, 20)]
    assert export(settings, TRANSACTION, tmp_path) == 0


def test_a_backfill_names_what_its_topic_has_lost_and_goes_on_when_told(
    log: Log, settings: Settings, new_topic: Callable[..., str], tmp_path: Path
) -> None:
    topic = new_topic(partitions=1)
    log.append(topic, PAYMENTS)
    log.delete(topic, 15)
    with pytest.raises(RecordsDeleted, match=rf"15 records of {topic}-0 \(offsets 0 to 14\).*--if-log-lost continue"):
        backfill(topic, tmp_path, REGISTRY, "transaction", settings, cores=1)
    with capture_logs() as told:
        done = backfill(topic, tmp_path, REGISTRY, "transaction", settings, cores=1, if_deleted=IfDeleted.CONTINUE)
    assert done.good == 5
    assert [line["gone"] for line in told] == [f"15 records of {topic}-0 (offsets 0 to 14)"]


def test_parity_gives_the_reason_why_nothing_can_be_derived_again(
    log: Log, settings: Settings, new_topic: Callable[..., str]
) -> None:
    topic = new_topic(partitions=1)
    create_topics(settings, [Topic(f"{settings.output_prefix}{topic}.dlq", 1)])
    log.append(topic, PAYMENTS)
    log.commit(settings.consumer_group, topic, 10)
    log.delete(topic, 15)
    with pytest.raises(UserError, match=rf"deleted all .* 5 records of {topic}-0 \(offsets 10 to 14\)"):
        rederive_run(settings, Registry([TRANSACTION.with_topic(topic)]), Sample(), "transaction")
