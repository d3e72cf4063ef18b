"""Questions to the brokers, each with an answer, or with an error within a few seconds."""

from collections.abc import Callable, Iterable
from threading import Event
from typing import Any, TypeVar
from uuid import UUID

from kafka.admin import ConfigResourceType
from kafka.errors import AuthorizationError, CorruptRecordError, KafkaError, KafkaTimeoutError, RetriableError
from kafka.protocol.admin import DescribeConfigsRequest
from kafka.protocol.metadata import MetadataRequest

from twinstream.log.contract import Committed, KafkaUnavailable, LogError, NotAllowed, TopicPartition
from twinstream.log.kafka.client_options import ANSWER_TIMEOUT_MS, TRANSACTION_TIMEOUT_MS, does_not_answer
from twinstream.log.kafka.membership import ours, theirs
from twinstream.log.kafka.rights import refused
from twinstream.settings import Settings

Answer = TypeVar("Answer")


def translated(error: KafkaError, where: Settings | str) -> LogError | NotAllowed:
    """The client's error as ours, on the reading side."""
    if isinstance(error, AuthorizationError):
        return refused(error, where, "Read")
    if isinstance(error, CorruptRecordError):
        return LogError(f"Kafka's log is damaged: {error}")
    if isinstance(error, RetriableError):
        return KafkaUnavailable(does_not_answer(where))
    return LogError(f"{type(error).__name__}: {error}")


def _answered(future: Any, connections: Any, timeout_ms: int) -> Any:
    """Wait for what another thread, which drives these connections, has been asked to do."""
    done = Event()
    future.add_both(lambda _: done.set())
    connections._net.wakeup()
    if not done.wait(timeout_ms / 1000):
        raise KafkaTimeoutError(f"no answer within {timeout_ms} ms")
    if future.exception is not None:
        raise future.exception
    return future.value


class Brokers:
    """What they say, asked over a consumer's connections."""

    def __init__(self, consumer: Any, settings: Settings) -> None:
        self._consumer = consumer
        self._settings = settings

    def committed(self, partition: TopicPartition) -> Committed | None:
        """The group's committed offset; waits for a pending transaction to be decided."""
        coordinator = self._consumer._coordinator
        # What has not been answered the last time the client would wait for again, instead of asking.
        coordinator._offset_fetch_futures.pop(frozenset([theirs(partition)]), None)
        try:
            answer = self._ask(lambda: self._consumer.committed(theirs(partition), True, timeout_ms=ANSWER_TIMEOUT_MS))
        except KafkaUnavailable:
            self.ping(ANSWER_TIMEOUT_MS)
            if coordinator.coordinator_unknown():
                raise
            raise LogError(
                f"The committed offset of {partition.topic}-{partition.partition} is not decided yet: the transaction "
                "of a worker that ended is open until the broker gives it up, "
                f"{TRANSACTION_TIMEOUT_MS // 1000} s at most."
            ) from None
        return None if answer is None else Committed(answer.offset, answer.metadata or "")

    def beginning_offset(self, partition: TopicPartition) -> int:
        """The first offset that is still there."""
        wanted = theirs(partition)
        return int(self._ask(lambda: self._consumer.beginning_offsets([wanted], timeout_ms=ANSWER_TIMEOUT_MS))[wanted])

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The offsets after the last committed records."""
        wanted = [theirs(partition) for partition in partitions]
        if not wanted:
            return {}
        ends = self._ask(lambda: self._consumer.end_offsets(wanted, timeout_ms=ANSWER_TIMEOUT_MS))
        return {ours(partition): int(offset) for partition, offset in ends.items()}

    def offset_for_time(self, partition: TopicPartition, timestamp_ms: int) -> int | None:
        """The first offset whose timestamp is at least `timestamp_ms`."""
        wanted = {theirs(partition): max(0, timestamp_ms)}
        (found,) = self._ask(lambda: self._consumer.offsets_for_times(wanted, timeout_ms=ANSWER_TIMEOUT_MS)).values()
        return None if found is None else int(found.offset)

    def topic_ids(self, names: Iterable[str], connections: Any = None) -> dict[str, UUID]:
        """The ids of those topics that exist, asked over these connections rather than the consumer's.

        The broker answers the requests of a connection one after the other, and a consumer's connection may have a
        fetch before it that waits for records. But connections that were idle may have been lost.
        """
        topics = [MetadataRequest.MetadataRequestTopic(name=name) for name in names]
        request = MetadataRequest(topics=topics, allow_auto_topic_creation=False)
        try:
            response = self._send(request, connections=connections)
        except KafkaUnavailable:
            if connections is None:
                raise
            response = self._send(request)
        return {topic.name: topic.topic_id for topic in response.topics if topic.error_code == 0}

    def is_append_timed(self, topic: str) -> bool:
        """Whether the broker stamps the topic's records as they come."""
        name = "message.timestamp.type"
        response = self._send(
            DescribeConfigsRequest(
                resources=[(ConfigResourceType.TOPIC, topic, [name])], include_synonyms=False, min_version=0
            )
        )
        return any(
            config.name == name and config.value == "LogAppendTime"
            for result in response.results
            for config in result.configs
        )

    def ping(self, timeout_ms: int) -> None:
        """Nothing but an answer."""
        self._send(MetadataRequest(topics=[]), timeout_ms)

    def _send(self, request: Any, timeout_ms: int = ANSWER_TIMEOUT_MS, connections: Any = None) -> Any:
        manager = connections or self._consumer._manager

        async def send() -> Any:
            return await manager.wait_for(manager.send(request), timeout_ms)

        if connections is None:
            return self._ask(lambda: manager.run(send))
        return self._ask(lambda: _answered(connections.call_soon(send), connections, timeout_ms))

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        try:
            return question()
        except KafkaError as error:
            raise translated(error, self._settings) from error
        except KeyError as error:  # how the client says that it has never heard of a partition, or not any more
            raise LogError(f"Kafka does not know {error.args[0]}; was the topic deleted?") from error
