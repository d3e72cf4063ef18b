"""Mild disorder: some records take a while on their way, never so long that they would be late."""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple

from producers.records import Record

DELAYED_SHARE = 0.1


class Arrival(NamedTuple):
    """A record and when it gets into the topic."""

    arrival_ms: int
    number: int
    time_ms: int
    record: Record

    @property
    def is_delayed(self) -> bool:
        """Whether newer records got in before it."""
        return self.arrival_ms > self.time_ms


def arrivals(records: Iterable[tuple[int, Record]], max_delay_ms: int, random: Random) -> Iterator[Arrival]:
    """Timed records in the order of their arrival, a tenth of them delayed by up to `max_delay_ms`.

    A record that arrives at `a` finds only records of times up to `a` before it, in any partition: so it is never more
    than its own delay behind the newest of them.
    """
    on_their_way: list[Arrival] = []
    for number, (time_ms, record) in enumerate(records):
        while on_their_way and on_their_way[0].arrival_ms <= time_ms:
            yield heappop(on_their_way)
        delay_ms = int(random.random() * max_delay_ms) if random.random() < DELAYED_SHARE else 0
        heappush(on_their_way, Arrival(time_ms + delay_ms, number, time_ms, record))
    while on_their_way:
        yield heappop(on_their_way)
