"""A broker and a Redis of the benchmark's own, in a directory of their own, gone when it ends."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kafka import KafkaAdminClient

from deploy.local import LocalKafka, LocalRedis, free_port
from twinstream.log.topics import Topic, create_topics, dead_letter_topic, feature_log_topic, source_topic


@dataclass(frozen=True, slots=True)
class Services:
    """Where they answer."""

    kafka: LocalKafka
    redis: LocalRedis
    directory: Path

    def create_source(self, topic: str) -> None:
        """A topic for records of the transaction group."""
        create_topics(self.kafka.servers, [source_topic(topic)])

    def create_outputs(self, prefix: str, source: str) -> list[str]:
        """The output topics of one run, Twinstream's and its rivals'."""
        topics = [
            feature_log_topic("transaction", prefix),
            dead_letter_topic(source, prefix),
            Topic(f"{prefix}out"),
        ]
        create_topics(self.kafka.servers, topics)
        return [topic.name for topic in topics]

    def clear(self, topics: list[str]) -> None:
        """Delete output topics and everything in Redis."""
        admin = KafkaAdminClient(bootstrap_servers=self.kafka.servers)
        changelogs = [name for name in admin.list_topics() if name.startswith("changelog__")]
        admin.delete_topics(topics + changelogs)
        admin.close()
        with self.redis.client() as client:
            client.flushall()


@contextmanager
def services() -> Iterator[Services]:
    """Both, started on free ports."""
    with tempfile.TemporaryDirectory(prefix="twinstream-benchmark-") as name:
        directory = Path(name)
        kafka, redis = LocalKafka(directory / "kafka", free_port()), LocalRedis(directory / "redis", free_port())
        try:
            kafka.start()
            redis.start()
            yield Services(kafka, redis, directory)
        finally:
            kafka.kill()
            redis.kill()
