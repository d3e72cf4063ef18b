"""Plays a generated story to a declared group with every word, and to the oracle."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from tests.declare.every_word import EVERY_WORD, Record, vector
from tests.features.events import WINDOW_MS
from tests.oracle.naive import NaiveState
from tests.oracle.plays import Play
from tests.oracle.stories import Step, stories_of
from twinstream.core.state import EntityState

fields = st.fixed_dictionaries(
    {},
    optional={
        "item": st.sampled_from([None, "a", "b", "c d"]),
        "cents": st.sampled_from([None, 0, 1, 2, -7, 300, 10**14 + 1]),
        "refunded": st.booleans(),
    },
)


def sales() -> st.SearchStrategy[list[Step]]:
    """Stories of a customer."""
    return stories_of(fields)


class SalesPlay(Play):
    """One customer of one partition, seen by both; the oracle looks at the records, not at what is kept of them."""

    def __init__(self, max_events: int = 50_000) -> None:
        super().__init__("order", max_events)
        assert EVERY_WORD is not None
        self.group = EVERY_WORD
        self.state = EntityState(self.group, self.config)
        self.naive = NaiveState("order", WINDOW_MS, max_events)
        self.naive.vector_of = self._vector_of
        self.records: dict[str, Record] = {}

    def _event(self, step_ms: int, fields: dict[str, Any]) -> Any:
        offset = len(self.log)
        record = {"sale_id": f"s{offset}", "at": self._now_ms + step_ms, "customer": "c1"} | fields
        self.records[f"s{offset}"] = {"item": None, "cents": None, "refunded": False} | record
        customer, event = self.group.decode(msgspec.json.encode(record), offset)
        assert customer == "c1"
        return event

    def _vector_of(self, window: list[Any], now_ms: int, size_ms: int) -> dict[str, Any]:
        return vector([self.records[event.id] for event in window], now_ms, size_ms)
