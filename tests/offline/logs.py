"""Logs to replay: made by the seeder, processed by the test driver, in this process."""

from collections.abc import Iterable, Iterator
from functools import cache

import polars as pl

from producers.seeding.seeder import Seeded
from tests.loop.logs import mixed_messages
from tests.loop.outputs import SETTINGS
from tests.reference import BY_TOPIC, GROUPS
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.vectors import FeatureRecord, encode_feature_record
from twinstream.log.kafka import Record
from twinstream.log.topics import dead_letter_topic, feature_log_topic
from twinstream.offline.columns import columns
from twinstream.settings import Settings
from twinstream.testing import START_MS, Driver

PARTITIONS = 2


@cache
def processed(count: int = 2_000) -> Driver:
    """A driver whose loop has been through a mixed log: disorder, late records, duplicates, all kinds of bad ones."""
    driver = Driver(partitions=PARTITIONS, **SETTINGS)
    fill(driver, mixed_messages(count, end_ms=START_MS))
    driver.run()
    return driver


def fill(driver: Driver, messages: Iterable[Seeded]) -> None:
    """Append messages to a driver's topics, an entity's always to the same partition."""
    for number, (topic, message, _) in enumerate(messages):
        partition = sum(message.key.encode()) % PARTITIONS
        driver.now_ms = START_MS + number
        driver.broker.append(topic, partition, message.key.encode(), message.value)


def source(driver: Driver, group: FeatureGroup, partition: int) -> list[Record]:
    """A partition of the group's source topic."""
    return [record for record in driver.broker.records(group.topic) if record.partition == partition]


def live(driver: Driver, group: FeatureGroup, partition: int) -> list[bytes]:
    """What the loop wrote to that partition of the feature log."""
    name = feature_log_topic(group.name).name
    return [record.value or b"" for record in driver.broker.records(name) if record.partition == partition]


def letters(driver: Driver, topic: str) -> list[Record]:
    """The dead letters of a topic."""
    return driver.broker.records(dead_letter_topic(topic).name)


def encoded(records: list[FeatureRecord]) -> list[bytes]:
    """Records as the bytes of a feature log."""
    return [encode_feature_record(record) for record in records]


def settings(**changed: object) -> Settings:
    """Those of the driver's loop."""
    return Settings(**(SETTINGS | changed))


EVERY_GROUP = list(GROUPS.values())
TOPICS = list(BY_TOPIC)


def to_records(group: FeatureGroup, frame: pl.DataFrame) -> Iterator[FeatureRecord]:
    """The feature records of a frame, equal to those it was made from to the last bit."""
    plain = frame.with_columns(pl.col("event_time", "timestamp").dt.epoch("ms"))
    for entity, event_id, event_time, topic, partition, offset, timestamp, version, *vector in plain.select(
        *columns(group)
    ).iter_rows():
        yield FeatureRecord(
            group=group.name,
            version=version,
            entity=entity,
            event_id=event_id,
            event_time=event_time,
            topic=topic,
            partition=partition,
            offset=offset,
            timestamp=timestamp,
            features=group.values(*[tuple(value) if isinstance(value, list) else value for value in vector]),
        )
