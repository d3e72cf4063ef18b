"""Topics for tests, on a broker that may be too busy to answer at once."""

from collections.abc import Iterable

from kafka import TopicPartition as ClientPartition
from kafka.errors import KafkaError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.waiting import wait_until
from twinstream.log.kafka import LogError, TopicAdmin
from twinstream.log.kafka.topic_reader import reader
from twinstream.log.topics import Topic, create_topics


@retry(
    retry=retry_if_exception_type((LogError, KafkaError)), stop=stop_after_delay(60), wait=wait_fixed(0.5), reraise=True
)
def create(servers: str, topics: Iterable[Topic]) -> None:
    """Create topics. A broker on a machine that is too busy counts as away for a moment, and refuses."""
    create_topics(servers, list(topics))


def create_anew(servers: str, topics: Iterable[Topic]) -> None:
    """Create topics, empty also where there were some of these names before; other topics stay as they are."""
    wanted = list(topics)
    names = {topic.name for topic in wanted}
    with TopicAdmin(servers) as admin:
        admin.delete(names)
        wait_until(lambda: not names & set(admin.partitions()), "the topics are deleted")
    create(servers, wanted)


def until_decided(servers: str, topic: str) -> None:
    """Wait until readers see what has been committed: Kafka answers a producer before it writes its markers."""
    with (
        reader(servers, isolation_level="read_committed") as decided,
        reader(servers, isolation_level="read_uncommitted") as written,
    ):
        partitions = [ClientPartition(topic, number) for number in written.partitions_for_topic(topic) or ()]
        wait_until(lambda: decided.end_offsets(partitions) == written.end_offsets(partitions), "all is decided")
