"""Creating, deleting and listing topics."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, RetriableError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

from runtime.kafka.clients import build_client
from runtime.kafka.contract import KafkaUnavailable, LogError
from runtime.kafka.options import connection_options, does_not_answer
from runtime.settings import Settings


@dataclass(frozen=True)
class TopicSpec:
    """A topic to be: its partitions, and the broker's settings for it by name (`max.message.bytes`, …)."""

    name: str
    partitions: int = 4
    config: Mapping[str, str] = field(default_factory=dict)
    replication_factor: int = -1


class TopicAdmin:
    """A short-lived administrator; use it in a `with` block."""

    def __init__(self, where: Settings | str) -> None:
        self._where = where
        self._client: Any = build_client(KafkaAdminClient, where, connection_options(where))

    def __enter__(self) -> "TopicAdmin":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def create(self, topics: Iterable[TopicSpec]) -> list[str]:
        """Create the topics that do not exist yet, wait until they can be used, and return the names of the new."""
        created = []
        for topic in topics:
            wanted = {
                "num_partitions": topic.partitions,
                "replication_factor": topic.replication_factor,
                "configs": dict(topic.config),
            }
            with self._translated():
                try:
                    self._client.create_topics({topic.name: wanted})
                except TopicAlreadyExistsError:
                    continue
                created.append(topic.name)
        with self._translated():
            self._client.wait_for_topics(created)
        return created

    def delete(self, names: Iterable[str]) -> None:
        """Delete topics; one that is not there is fine."""
        for name in names:
            with self._translated():
                try:
                    self._client.delete_topics([name])
                except UnknownTopicOrPartitionError:
                    continue

    def partitions(self) -> dict[str, int]:
        """The number of partitions of every topic but Kafka's own."""
        with self._translated():
            described = self._client.describe_topics()
        return {topic["name"]: len(topic["partitions"]) for topic in described if not topic["is_internal"]}

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except RetriableError as error:
            raise KafkaUnavailable(does_not_answer(self._where)) from error
        except KafkaError as error:
            raise LogError(f"{type(error).__name__}: {error}") from error
