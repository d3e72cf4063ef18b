"""Asking the brokers: whatever the client raises comes out as an error that the loop recovers from."""

from typing import Any

import pytest

from runtime.kafka.asking import Brokers
from runtime.kafka.contract import LogError, TopicPartition
from runtime.settings import Settings

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
