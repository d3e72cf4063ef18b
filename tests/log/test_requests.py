"""Asking the brokers: whatever the client raises comes out as an error that the loop recovers from."""

from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError
from kafka.future import Future

from twinstream.log.contract import KafkaUnavailable, LogError, TopicPartition
from twinstream.log.kafka.membership import theirs
from twinstream.log.kafka.requests import Brokers
from twinstream.settings import Settings

SOURCE = TopicPartition("transactions", 0)


class ForgetfulConsumer:
    """Answers as kafka-python's consumer does in the moment in which a topic is deleted."""

    def end_offsets(self, partitions: list[Any], timeout_ms: int) -> dict[Any, int]:
        return {}[partitions[0]]

    beginning_offsets = end_offsets


@pytest.mark.parametrize(
    "question", [lambda brokers: brokers.end_offsets([SOURCE]), lambda brokers: brokers.beginning_offset(SOURCE)]
)
def test_a_topic_that_is_deleted_meanwhile_is_an_error_of_the_log(question: Any) -> None:
    brokers = Brokers(ForgetfulConsumer(), Settings())
    with pytest.raises(LogError, match=r"does not know .*transactions.*deleted"):
        question(brokers)


class PatientConsumer:
    """Waits for the group's coordinator, as long as it may, while other brokers answer.

    An unanswered question of an earlier call is in `_offset_fetch_futures`, where kafka-python keeps it.
    """

    def __init__(self, coordinator_unknown: bool) -> None:
        asked = {frozenset([theirs(SOURCE)]): Future()}
        self.repeats: list[bool] = []
        self._coordinator = SimpleNamespace(
            _offset_fetch_futures=asked, coordinator_unknown=lambda: coordinator_unknown
        )
        self._manager = SimpleNamespace(run=lambda question: None)

    def committed(self, partition: Any, metadata: bool, timeout_ms: int) -> Any:
        self.repeats.append(frozenset([partition]) not in self._coordinator._offset_fetch_futures)
        raise KafkaTimeoutError


def test_what_was_not_answered_is_asked_again() -> None:
    consumer = PatientConsumer(coordinator_unknown=False)
    with pytest.raises(LogError, match="not decided yet"):
        Brokers(consumer, Settings()).committed(SOURCE)
    assert consumer.repeats == [True]


def test_a_coordinator_that_is_not_found_is_told_from_an_open_transaction() -> None:
    with pytest.raises(KafkaUnavailable):
        Brokers(PatientConsumer(coordinator_unknown=True), Settings()).committed(SOURCE)
