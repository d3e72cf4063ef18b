"""The sales that the examples in the vocabulary are over, and a way to ask what a word answers of them.

Not for features: it is here so that every word can show in its docstring what it does.
"""

from typing import Any, TypeVar

from msgspec import json

from twinstream.core.fields import Id, Name, Timestamp
from twinstream.core.state import EntityState, WindowConfig
from twinstream.declare.aggregated import Aggregated
from twinstream.declare.compiling import compiled, view_of
from twinstream.declare.event import Event
from twinstream.declare.group import FeatureGroup

V = TypeVar("V")

START_MS = 1_772_452_800_000
WINDOW_MS = 300_000


class Sale(Event):
    """A sale to a customer."""

    sale_id: Id
    at: Timestamp
    customer: Id
    item: Name | None
    cents: int
    refunded: bool = False


SALES: tuple[dict[str, Any], ...] = (
    {"seconds": 0, "item": "tea", "cents": 300, "refunded": False},
    {"seconds": 60, "item": "cake", "cents": 450, "refunded": False},
    {"seconds": 90, "item": "tea", "cents": 300, "refunded": True},
    {"seconds": 120, "item": None, "cents": 800, "refunded": False},
    {"seconds": 240, "item": "jam", "cents": 999, "refunded": False},
)


def answer(aggregated: Aggregated[V]) -> V:
    """What a feature answers at the newest of the sales."""
    made = type("SaleFeatures", (FeatureGroup,), {"_asked": aggregated})
    group = compiled(made, event=Sale, topic="sales", entity=Sale.customer, time=Sale.at, id=Sale.sale_id)
    state = EntityState(group, WindowConfig(WINDOW_MS))
    for offset, sale in enumerate(SALES):
        fields = {name: sale[name] for name in ("item", "cents", "refunded")}
        fields |= {"sale_id": f"s{offset}", "at": START_MS + 1000 * sale["seconds"], "customer": "c1"}
        _, event = group.decode(json.encode(fields), offset)
        state.insert(event, START_MS)
    found: V = view_of(made, state._window)._asked  # type: ignore[arg-type]
    return found
