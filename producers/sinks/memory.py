"""A list as a sink: for tests, notebooks and dry runs."""

from producers.records import Message
from producers.sinks.base import Delivery


class MemorySink:
    """Keeps the messages in `messages`.

    >>> sink = MemorySink()
    >>> sink.send(Message("card_1", b"{}"))
    >>> sink.delivery.sent, sink.messages[0].key
    (1, 'card_1')
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.delivery = Delivery()

    def send(self, message: Message) -> None:
        """Keep the message."""
        self.messages.append(message)
        self.delivery.sent += 1
        self.delivery.bytes_sent += len(message.key or "") + len(message.value or b"")

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""
