"""Counts of running producers, and their sum: `monitor` is the one registry of a process."""

from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

from producers.sinks.base import Delivery


@dataclass(slots=True)
class ProducerMetrics:
    """What one producer has done so far."""

    messages_sent: int = 0
    messages_failed: int = 0
    bytes_sent: int = 0
    last_send_time: float | None = None
    """Epoch seconds of the newest message; None before the first."""

    def observe(self, delivery: Delivery, now_seconds: float | None = None) -> None:
        """Take over a sink's counts; `now_seconds` is given when something was just sent."""
        self.messages_sent = delivery.sent
        self.messages_failed = delivery.failed
        self.bytes_sent = delivery.bytes_sent
        if now_seconds is not None:
            self.last_send_time = now_seconds

    def as_dict(self) -> dict[str, Any]:
        """The counts by name."""
        return asdict(self)


class ProducerMonitor:
    """The metrics of all producers of a process by name.

    >>> monitor = ProducerMonitor()
    >>> monitor.register_producer("orders").messages_sent = 3
    >>> monitor.get_aggregate_metrics()["messages_sent"]
    3
    """

    def __init__(self) -> None:
        self._producers: dict[str, ProducerMetrics] = {}
        self._lock = Lock()

    def register_producer(self, name: str) -> ProducerMetrics:
        """The metrics kept under `name`; the same ones when asked again."""
        with self._lock:
            return self._producers.setdefault(name, ProducerMetrics())

    def get_producer_metrics(self, name: str) -> dict[str, Any] | None:
        """The counts of one producer; None if there is none of that name."""
        with self._lock:
            found = self._producers.get(name)
        return found.as_dict() if found else None

    def get_aggregate_metrics(self) -> dict[str, Any]:
        """The sums over all producers, the newest send time, and each producer's own counts."""
        with self._lock:
            producers = dict(self._producers)
        metrics = list(producers.values())
        sent = sum(each.messages_sent for each in metrics)
        failed = sum(each.messages_failed for each in metrics)
        return {
            "producers": len(metrics),
            "messages_sent": sent,
            "messages_failed": failed,
            "bytes_sent": sum(each.bytes_sent for each in metrics),
            "success_rate": sent / (sent + failed) if sent + failed else None,
            "last_send_time": max((each.last_send_time for each in metrics if each.last_send_time), default=None),
            "by_producer": {name: each.as_dict() for name, each in sorted(producers.items())},
        }

    def reset(self) -> None:
        """Forget all producers."""
        with self._lock:
            self._producers.clear()


monitor = ProducerMonitor()
"""Every `BaseProducer` of this process registers itself here."""
