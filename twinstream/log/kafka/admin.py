"""Creating, deleting and listing topics."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResourceType
from kafka.errors import (
    AuthorizationError,
    InvalidPartitionsError,
    InvalidTopicError,
    KafkaError,
    RetriableError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)
from kafka.protocol.admin import DescribeConfigsRequest

from twinstream.errors import UserError
from twinstream.log.contract import KafkaUnavailable, LogError
from twinstream.log.kafka.client_options import ANSWER_TIMEOUT_MS, connection_options
from twinstream.log.kafka.connecting import build_client
from twinstream.log.kafka.diagnosis import advertised_by, diagnosis
from twinstream.log.kafka.rights import refused
from twinstream.settings import Settings


class TopicAdmin:
    """A short-lived administrator; use it in a `with` block."""

    def __init__(self, where: Settings | str) -> None:
        self._where = where
        self._client: Any = build_client(KafkaAdminClient, where, connection_options(where))

    def __enter__(self) -> "TopicAdmin":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def create(self, name: str, partitions: int = 4, configs: Mapping[str, str] | None = None) -> bool:
        """Create a topic unless it exists, and wait until it can be used; return whether it is new.

        `configs` are the broker's settings for the topic by name, such as `max.message.bytes`.

        Raises:
            UserError: the name is none that Kafka takes.
        """
        wanted = {"num_partitions": partitions, "replication_factor": -1, "configs": dict(configs or {})}
        with self._translated("Create", name):
            try:
                self._client.create_topics({name: wanted})
            except TopicAlreadyExistsError:
                return False
            except InvalidTopicError:
                raise UserError(
                    f"Kafka takes no topic of the name {name!r}. Use letters, digits, '.', '_' and '-', at most 249."
                ) from None
            self._client.wait_for_topics([name])
        return True

    def widen(self, name: str, partitions: int) -> None:
        """Give a topic so many partitions, unless it has as many, and wait until they can be used."""
        with self._translated("Alter", name):
            try:
                self._client.create_partitions({name: partitions})
            except InvalidPartitionsError:  # somebody else was faster
                return
            deadline = time.monotonic() + ANSWER_TIMEOUT_MS / 1000
            while not self._leads(name, partitions):
                if time.monotonic() > deadline:
                    raise KafkaUnavailable(f"Topic {name} did not get {partitions} partitions in time.")
                time.sleep(0.02)

    def _leads(self, name: str, partitions: int) -> bool:
        """Whether so many partitions of a topic have a leader."""
        (topic,) = self._client.describe_topics([name])
        return len([each for each in topic["partitions"] if each["leader_id"] >= 0]) >= partitions

    def delete(self, names: Iterable[str]) -> None:
        """Delete topics; one that is not there is fine."""
        for name in names:
            with self._translated("Delete", name):
                try:
                    self._client.delete_topics([name])
                except UnknownTopicOrPartitionError:
                    continue

    def partitions(self) -> dict[str, int]:
        """The number of partitions of every topic but Kafka's own."""
        with self._translated():
            described = self._client.describe_topics()
        return {topic["name"]: len(topic["partitions"]) for topic in described if not topic["is_internal"]}

    def producer_timed(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of these topics whose records keep their producers' timestamps, instead of the broker's."""
        key = "message.timestamp.type"
        resources = [(ConfigResourceType.TOPIC, name, [key]) for name in names]
        request = DescribeConfigsRequest(resources=resources, include_synonyms=False, min_version=0)
        manager = self._client._manager

        async def ask() -> Any:
            return await manager.send(request)

        with self._translated("DescribeConfigs"):
            results = manager.run(ask).results
        return tuple(
            result.resource_name
            for result in results
            if any(config.name == key and config.value != "LogAppendTime" for config in result.configs)
        )

    def ids(self) -> dict[str, str]:
        """The id of every topic but Kafka's own; a topic that is deleted and created again gets another."""
        with self._translated():
            described = self._client.describe_topics()
        return {topic["name"]: str(topic["topic_id"]) for topic in described if not topic["is_internal"]}

    @contextmanager
    def _translated(self, operation: str = "Describe", topic: str = "") -> Iterator[None]:
        try:
            yield
        except AuthorizationError as error:
            raise refused(error, self._where, operation, topic) from error
        except RetriableError as error:
            raise KafkaUnavailable(diagnosis(self._where, advertised_by(self._client))) from error
        except KafkaError as error:
            raise LogError(f"{type(error).__name__}: {error}") from error
