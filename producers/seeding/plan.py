"""When a seed's events happen: a span that ends at a given moment and begins where the topic stands.

Nothing but what is injected may be late or in the future, seed after seed:

- the first seed of a topic fills the `length` before `as_of`;
- a later one begins a millisecond after the newest event in the topic and ends at `as_of` too, so seeds that follow
  each other within seconds get denser, never late;
- if the topic already stands at the present or a little ahead of it, the seed takes the next second: the broker's clock
  catches up long before the allowed skew (30 s) is used up.
"""

from typing import NamedTuple

from producers.records import iso_utc
from twinstream.errors import UserError

SHORTEST_MS = 1_000
MOST_AHEAD_MS = 15_000
"""How far ahead of the clock a topic may stand: half of the skew that the engine allows by default."""

MAX_DELAY_MS = 15_000
"""Longest delay of a record on its way into the topic: half of the allowed lateness."""


class Span(NamedTuple):
    """From when to when the events happen, in epoch milliseconds."""

    start_ms: int
    end_ms: int

    @property
    def length_ms(self) -> int:
        """How long that is."""
        return self.end_ms - self.start_ms

    def __str__(self) -> str:
        return f"{iso_utc(self.start_ms)} to {iso_utc(self.end_ms)}"


def decide_span(topic: str, newest_ms: int | None, as_of_ms: int, length_ms: int, *, as_of_given: bool) -> Span:
    """The span of a seed of `topic`, whose newest event is at `newest_ms`.

    Raises:
        UserError: the topic is ahead of the `as_of` that was asked for, or of the clock by more than MOST_AHEAD_MS.
    """
    if newest_ms is None or newest_ms < as_of_ms - length_ms:
        return Span(as_of_ms - length_ms, as_of_ms)
    if newest_ms + SHORTEST_MS < as_of_ms:
        return Span(newest_ms + 1, as_of_ms)
    if as_of_given or newest_ms > as_of_ms + MOST_AHEAD_MS:
        remedy = "Choose a later --as-of, or none." if as_of_given else "Wait, or use a fresh topic."
        raise UserError(
            f"The topic {topic} is ahead: its newest event is of {iso_utc(newest_ms)}, and the seed would end at "
            f"{iso_utc(as_of_ms)}, so its events would be late. {remedy}"
        )
    return Span(newest_ms + 1, newest_ms + SHORTEST_MS)
