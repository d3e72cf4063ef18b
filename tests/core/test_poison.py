"""A record that a definition's own code fails on is set aside as `internal`, and everything goes on as without it."""

from collections.abc import Callable
from copy import copy
from typing import Any

import pytest

from tests.core.test_window_properties import moments
from tests.features.events import LATENESS_MS, MIDDAY_MS, WINDOW_MS, payment
from tests.reference import GROUPS
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.rejection import Rejected
from twinstream.core.state import EntityState, WindowConfig
from twinstream.registry import Registry
from twinstream.testing import START_MS, Driver

T = MIDDAY_MS


class Fragile:
    """An aggregate that fails on some events when they come in, and on others when they go out."""

    def append(self, event: Any) -> None:
        if event.id == "poison":
            raise KeyError("injected")

    def popleft(self, event: Any) -> None:
        if event.id == "sticky":
            raise KeyError("injected")

    appendleft, pop = append, popleft


def fragile() -> FeatureGroup:
    """The orders' group with such an aggregate."""
    group = copy(GROUPS["order"])

    def window(size_ms: int) -> Any:
        made = GROUPS["order"].window(size_ms)
        made._aggregates = (*made._aggregates, Fragile())
        return made

    group.window = window
    return group


def undecodable(decode: Callable[..., Any]) -> Callable[..., Any]:
    """A `decode` that fails on some orders."""

    def fails(value: bytes | None, offset: int) -> Any:
        entity, event = decode(value, offset)
        if event.id == "poison":
            raise ZeroDivisionError
        return entity, event

    return fails


@pytest.mark.parametrize("poison_ms", [T, T - 1_500, T + 2 * WINDOW_MS])
@pytest.mark.parametrize("max_events", [3, 50_000])
def test_an_event_that_an_aggregate_fails_on_leaves_no_trace(poison_ms: int, max_events: int) -> None:
    config = WindowConfig(WINDOW_MS, max_events)
    failing, sane = EntityState(fragile(), config), EntityState(GROUPS["order"], config)
    before = [payment(T - 3_000 + 1_000 * number, number) for number in range(4)]
    after = [payment(T - 500, 10), payment(T + 3 * WINDOW_MS, 11)]
    for event in before:
        assert failing.insert(event, T - LATENESS_MS) == sane.insert(event, T - LATENESS_MS)
    with pytest.raises(Rejected, match="internal: an aggregate raised KeyError"):
        failing.insert(payment(poison_ms, 9, id="poison"), max(T, poison_ms) - LATENESS_MS)
    assert (failing.events, failing.stored()) == (sane.events, sane.stored())
    assert moments(failing) == moments(sane)
    for event in after:
        assert failing.insert(event, event.time_ms - 1) == sane.insert(event, event.time_ms - 1)


def test_an_event_that_an_aggregate_cannot_let_go_stops_counting_once_it_is_forgotten() -> None:
    state = EntityState(fragile(), WindowConfig(WINDOW_MS))
    state.insert(payment(T, 0, id="sticky"), T - LATENESS_MS)
    with pytest.raises(Rejected, match="internal: an aggregate raised KeyError"):
        state.insert(payment(T + WINDOW_MS, 1), T)
    with pytest.raises(Rejected, match="internal: an aggregate raised KeyError"):
        state.vector_at(T + WINDOW_MS)
    state.insert(payment(T + 3 * WINDOW_MS, 2), T + 2 * WINDOW_MS)
    assert [event.offset for event in state.events] == [2]


@pytest.mark.parametrize("spoil", ["decode", "window"])
def test_the_loop_sets_it_aside_and_goes_on(spoil: str) -> None:
    group = GROUPS["order"]
    arguments = {name: getattr(group, name) for name in ("name", "version", "topic", "entity", "time", "id")}
    arguments |= {name: getattr(group, name) for name in ("wire_type", "event_type", "decode", "window", "families")}
    spoilt = undecodable(group.decode) if spoil == "decode" else fragile().window
    driver = Driver(Registry([FeatureGroup(**arguments | {spoil: spoilt})]))
    for order_id in ("first", "poison", "last"):
        driver.send("orders", order(order_id))
    driver.run()
    assert [letter.reason for letter in driver.dead_letters("orders")] == ["internal"]
    assert [record.event_id for record in driver.feature_records("order")] == ["first", "last"]


def order(order_id: str) -> dict[str, Any]:
    """An order as its topic has it."""
    fields = {"user_id": "u1", "timestamp": START_MS, "price": "9.99", "quantity": 1, "currency": "EUR"}
    return {"transaction_id": order_id} | fields
