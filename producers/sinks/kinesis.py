"""A Kinesis stream as a sink."""

from producers.kinesis import MAX_ENTRIES, KinesisProducer
from producers.records import Message
from producers.sinks.base import Delivery


class KinesisSink:
    """Gathers messages into full requests of a `KinesisProducer`."""

    def __init__(self, producer: KinesisProducer) -> None:
        self._producer = producer
        self._waiting: list[Message] = []
        self.delivery = Delivery()

    def send(self, message: Message) -> None:
        """Take a message; every five hundredth sends them."""
        self._waiting.append(message)
        if len(self._waiting) == MAX_ENTRIES:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        waiting, self._waiting = self._waiting, []
        result = self._producer.put_messages(waiting)
        self.delivery.sent += result.successes
        self.delivery.failed += result.failures
        self.delivery.bytes_sent += sum(len(message.key or "") + len(message.value or b"") for message in waiting)

    def close(self) -> None:
        """Send what waits."""
        self.flush()
