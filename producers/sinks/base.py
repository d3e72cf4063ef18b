"""What a sink is, and the count of what became of the records."""

from dataclasses import asdict, dataclass
from typing import Any, Protocol

from producers.records import Message


@dataclass(slots=True)
class Delivery:
    """What became of the messages given to a sink so far."""

    sent: int = 0
    """Acknowledged."""
    failed: int = 0
    """Given up after all retries."""
    bytes_sent: int = 0
    """Keys and values handed over, acknowledged or still on their way."""

    def as_dict(self) -> dict[str, Any]:
        """The counts by name."""
        return asdict(self)


class Sink(Protocol):
    """Takes messages; may hold them back until `flush`."""

    @property
    def delivery(self) -> Delivery:
        """The counts; final after `close`."""

    def send(self, message: Message) -> None:
        """Take one message."""

    def flush(self) -> None:
        """Return when every message taken is acknowledged or given up."""

    def close(self) -> None:
        """Flush and let go of the connection; safe to call twice."""
