"""How a subtask asks where the log ends."""

from collections.abc import Collection, Mapping

import pytest
from kafka.errors import KafkaTimeoutError

from twinstream.job.lag import ASK_AGAIN_S, ASK_EVERY_S, LogEnds

PARTITION = ("transactions", 0)


class Kafka:
    """Answers, or does not; and counts how often it is asked."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.asked = 0
        self.now = 0.0

    def ask(self, partitions: Collection[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return dict.fromkeys(partitions, 17)


def test_kafka_is_asked_now_and_then_only() -> None:
    kafka = Kafka()
    ends = LogEnds(kafka.ask, now=lambda: kafka.now)
    assert ends.look([PARTITION]) == {PARTITION: 17}
    assert ends.look([PARTITION]) == {}
    kafka.now = ASK_EVERY_S
    assert ends.look([PARTITION]) == {PARTITION: 17}
    assert kafka.asked == 2


@pytest.mark.parametrize("failure", [KafkaTimeoutError("no answer"), KeyError(PARTITION)])
def test_kafka_that_does_not_answer_is_left_alone_for_a_while(failure: Exception) -> None:
    kafka = Kafka()
    kafka.failure = failure
    ends = LogEnds(kafka.ask, now=lambda: kafka.now)
    assert (ends.look([PARTITION]), ends.answered) == ({}, False)
    kafka.now, kafka.failure = ASK_AGAIN_S - 1, None
    assert (ends.look([PARTITION]), kafka.asked) == ({}, 1)
    kafka.now = ASK_AGAIN_S
    assert (ends.look([PARTITION]), ends.answered) == ({PARTITION: 17}, True)
