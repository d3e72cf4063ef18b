"""Plays a generated story to a state and to the naive oracle side by side, and compares after every step."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import isclose
from typing import Any

import msgspec
import pytest

from tests.features.events import LATENESS_MS, WINDOW_MS, action, as_dict, payment
from tests.oracle.naive import NaiveState, Vector
from tests.oracle.stories import (
    START_MS,
    Arrival,
    Expiry,
    Failure,
    OtherEntity,
    Reading,
    Redelivery,
    Reload,
    Step,
)
from tests.reference import GROUPS, computing
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.lateness import LatenessRule, LatenessState
from twinstream.core.rejection import Rejected
from twinstream.core.state import EntityState, WindowConfig


class Play:
    """One entity of one partition, seen by both."""

    def __init__(self, group: str, max_events: int = 50_000) -> None:
        self.group = GROUPS[group]
        self.config = WindowConfig(WINDOW_MS, max_events)
        self.rule = LatenessRule(LATENESS_MS, max_future_skew_ms=10**15, state=LatenessState(START_MS))
        self.state = EntityState(self.group, self.config)
        self.naive = NaiveState(group, WINDOW_MS, max_events)
        self.log: list[Any] = []
        self.stored: dict[int, bytes] = {}
        self._make = action if group == "clickstream" else payment

    def run(self, story: list[Step]) -> None:
        """Every step, compared."""
        for step in story:
            self.step(step)
            if self.newest_is_readable:
                assert_same(self.state.newest_vector(), self.naive.vector_at(self.naive.newest_ms))
        moments = {event.time_ms + shift for event in self.naive.events for shift in (-1, 0, WINDOW_MS - 1, WINDOW_MS)}
        for moment in (*sorted(moments), *sorted(moments, reverse=True)):
            self._read(moment)

    def step(self, step: Step) -> None:
        match step:
            case Arrival(step_ms, fields):
                self._arrive(self._event(step_ms, fields))
            case Redelivery(back) if self.log:
                earlier = self.log[max(0, len(self.log) - 1 - back)]
                self._arrive(msgspec.structs.replace(earlier, offset=len(self.log)))
            case OtherEntity(step_ms):
                time_ms = self._now_ms + step_ms
                self.rule.observe(time_ms, time_ms)
            case Reading(after_ms):
                self._read(self._now_ms + after_ms)
            case Expiry():
                self.state.expire(self.rule.watermark_ms)
            case Reload():
                self.state = self.reloaded()
            case Failure(step_ms, fields):
                self._fail(self._event(step_ms, fields))

    @property
    def newest_is_readable(self) -> bool:
        """Whether the window at the newest event is still retained, whoever expires or reloads the state."""
        return bool(self.naive.events) and self.naive.newest_ms >= self.rule.watermark_ms

    def reloaded(self) -> EntityState:
        """The state as another worker would load it, from what deltas have been stored."""
        delta = self.state.delta()
        for number in delta.dropped:
            del self.stored[number]
        self.stored.update(delta.changed)
        return EntityState.load(self.group, self.config, delta.head, self.stored)

    @property
    def _now_ms(self) -> int:
        assert self.rule.newest_ms is not None
        return self.rule.newest_ms

    def _event(self, step_ms: int, fields: dict[str, Any]) -> Any:
        return self._make(self._now_ms + step_ms, len(self.log), **fields)

    def _arrive(self, event: Any) -> None:
        self.log.append(event)
        watermark_ms = self.rule.watermark_ms
        try:
            self.rule.observe(event.time_ms, event.time_ms)
        except Rejected:
            return
        expected = self.naive.insert(event, watermark_ms)
        if expected is None:
            with pytest.raises(Rejected, match="duplicate"):
                self.state.insert(event, watermark_ms)
        else:
            assert_same(self.state.insert(event, watermark_ms), expected)

    def _read(self, now_ms: int) -> None:
        if now_ms - WINDOW_MS >= self.state.horizon_ms:
            assert_same(self.state.vector_at(now_ms), self.naive.vector_at(now_ms))

    def _fail(self, event: Any) -> None:
        self.log.append(event)
        watermark_ms = self.rule.watermark_ms
        try:
            self.rule.observe(event.time_ms, event.time_ms)
        except Rejected:
            return
        before = self.state.horizon_ms, self.state.events, self.state.applied_offset
        with raising_feature(self.group), pytest.raises(Rejected, match="internal: always_wrong raised ValueError"):
            self.state.insert(event, watermark_ms)
        assert (self.state.horizon_ms, self.state.events, self.state.applied_offset) == before


@contextmanager
def raising_feature(group: FeatureGroup) -> Iterator[None]:
    """While it lasts, the last feature of the group raises."""

    def always_wrong(window: Any) -> int:
        raise ValueError("injected")

    features = group.features
    with computing(group, [*features, replace(features[-1], name="always_wrong", compute=always_wrong, derive=None)]):
        yield


def assert_same(vector: msgspec.Struct, expected: Vector) -> None:
    """Every feature is equal; the last digit of a float may differ, since the oracle takes another way to it."""
    actual = as_dict(vector)
    assert actual.keys() == expected.keys()
    wrong = {name: (actual[name], value) for name, value in expected.items() if not same(actual[name], value)}
    assert not wrong


def same(actual: Any, expected: Any) -> bool:
    """Equal in type and value, floats up to rounding."""
    if isinstance(expected, float) and isinstance(actual, float):
        return isclose(actual, expected, rel_tol=1e-12, abs_tol=1e-9)
    return type(actual) is type(expected) and actual == expected
