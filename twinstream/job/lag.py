"""How far a subtask is behind the log's end: Flink's own metrics do not tell that by topic and partition."""

import time
from collections.abc import Callable, Collection

from kafka import KafkaConsumer
from kafka import TopicPartition as ClientPartition

from twinstream.job.caught_up import Offsets
from twinstream.log.kafka.client_options import READER_OPTIONS, connection_options
from twinstream.log.kafka.connecting import build_client
from twinstream.logging import get_logger
from twinstream.settings import Settings

Ask = Callable[[Collection[tuple[str, int]]], Offsets]

ASK_EVERY_S = 5.0
ASK_AGAIN_S = 30.0
"""After Kafka has not answered: asking takes time that records would have."""

ASK_TIMEOUT_MS = 500


class LogEnds:
    """Where the log ends, asked for now and then.

    Args:
        ask: for the offsets after the last records. It may fail as it likes: kafka-python also raises a KeyError when
            its time is up.
        now: a clock in seconds.
    """

    def __init__(self, ask: Ask, now: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._now = now
        self._due = now()
        self.answered: bool | None = None
        """Whether Kafka answered last time; None before the first."""

    def look(self, partitions: Collection[tuple[str, int]]) -> Offsets:
        """The ends of the partitions; nothing while it is not time to ask again."""
        now = self._now()
        if now < self._due:
            return {}
        try:
            ends = self._ask(partitions)
        except Exception as error:  # whatever it is: a gauge is not worth a restart of the job
            _logger.debug("Kafka did not say where the log ends", detail=repr(error))
            self.answered, self._due = False, self._now() + ASK_AGAIN_S
            return {}
        self.answered, self._due = True, now + ASK_EVERY_S
        return ends


def asking(settings: Settings) -> Ask:
    """Asks the Kafka of the settings; connects when it is asked first."""
    consumer: list[KafkaConsumer] = []

    def ask(partitions: Collection[tuple[str, int]]) -> Offsets:
        if not consumer:
            consumer.append(build_client(KafkaConsumer, settings, connection_options(settings) | READER_OPTIONS))
        named = [ClientPartition(*partition) for partition in partitions]
        ends = consumer[0].end_offsets(named, timeout_ms=ASK_TIMEOUT_MS)
        return {(each.topic, each.partition): int(end) for each, end in ends.items()}

    return ask


_logger = get_logger(__name__)
