"""A real worker as a process, and a feed that keeps it busy and notices when its features become readable."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from kafka import KafkaProducer

from benchmarks.lab.load import Transactions
from benchmarks.lab.services import Services
from deploy.local.paths import ROOT

TICK_S = 0.001
PROBE_EVERY = 40
"""Every so many events one is of a card that nobody has seen before, whose features are looked for."""

START_TIMEOUT_S = 300.0


@contextmanager
def worker(local: Services, group: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python flink/stream_processor.py`; killed at the end."""
    environment = {
        "KAFKA_SERVERS": local.kafka.servers,
        "REDIS_PORT": str(local.redis.port),
        "CONSUMER_GROUP": group,
        "OUTPUT_PREFIX": f"{group}.",
        "METRICS_PORT": "0",
        "LOG_LEVEL": "WARNING",
    }
    process = subprocess.Popen(
        [sys.executable, "flink/stream_processor.py"],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True, slots=True)
class Seen:
    """A probe: when it was produced and when its features were readable, in seconds of the monotonic clock."""

    produced_s: float
    readable_s: float

    @property
    def age_ms(self) -> float:
        """From produced to readable."""
        return (self.readable_s - self.produced_s) * 1000


class Feed:
    """Produces transactions of 10 000 cards at a steady rate, and polls Redis for the probes among them."""

    def __init__(self, local: Services, events_per_second: float) -> None:
        self._producer = KafkaProducer(bootstrap_servers=local.kafka.servers, linger_ms=0, acks=1)
        self._redis = local.redis.client()
        self._name = uuid.uuid4().hex[:8]
        self._make = Transactions()
        self._random = Random(0)
        self._rate = events_per_second
        self._pending: dict[str, float] = {}
        self._sent = 0

    def run(self, seconds: float) -> Iterator[Seen]:
        """Feed for so long; yields probes as their features become readable."""
        began, began_with = time.monotonic(), self._sent
        while (now := time.monotonic()) < began + seconds:
            while self._sent - began_with < (now - began) * self._rate:
                self._send()
            yield from self._look()
            time.sleep(max(0.0, TICK_S - (time.monotonic() - now)))

    def first(self, since_s: float, timeout_s: float = START_TIMEOUT_S) -> Seen:
        """Feed until a probe that was produced after a moment is readable."""
        for seen in self.run(timeout_s):
            if seen.produced_s > since_s:
                return seen
        raise TimeoutError(f"no new feature within {timeout_s:.0f} s")

    def close(self) -> None:
        """Close the clients."""
        self._producer.close()
        self._redis.close()

    def _send(self) -> None:
        self._sent += 1
        is_probe = self._sent % PROBE_EVERY == 0
        card = f"probe_{self._name}_{self._sent}" if is_probe else f"card_{int(self._random.random() * 10_000):07d}"
        value = self._make.value(card, time.time_ns() // 1_000_000)
        if is_probe:
            self._pending[card] = time.monotonic()
        self._producer.send("transactions", value, key=card.encode())

    def _look(self) -> Iterator[Seen]:
        cards = list(self._pending)
        if not cards:
            return
        with self._redis.pipeline(transaction=False) as pipeline:
            for card in cards:
                pipeline.exists(f"features:transaction:{card}")
            found = pipeline.execute()
        now = time.monotonic()
        for card, is_there in zip(cards, found, strict=True):
            if is_there:
                yield Seen(self._pending.pop(card), now)
