"""The mark of a condition tells it from every other one, also where two differ only in a value that they name."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

import msgspec
import pytest

from tests.declare.logins import Login, declared, sign_in, values
from twinstream import count
from twinstream.declare.functions import mark
from twinstream.registry import Registry
from twinstream.testing import Driver


class Outcome(Enum):
    GOOD = True
    BAD = False


@dataclass(frozen=True)
class Limits:
    least: int


class Bounds(msgspec.Struct):
    least: int


def reaches(least: int, login: Any) -> bool:
    return bool(login.points >= least)


def condition_with(value: Any) -> Callable[[Any], object]:
    return lambda login: login.success is value


PAIRS = {
    "members of an enumeration": (Outcome.GOOD, Outcome.BAD),
    "dataclasses": (Limits(1), Limits(2)),
    "structs": (Bounds(1), Bounds(2)),
    "ranges": (range(1), range(2)),
    "functions with an argument filled in": (partial(reaches, 1), partial(reaches, 2)),
}


@pytest.mark.parametrize(("one", "other"), PAIRS.values(), ids=PAIRS)
def test_conditions_that_differ_in_a_value_they_name_have_two_marks(one: Any, other: Any) -> None:
    assert mark(condition_with(one)) != mark(condition_with(other))  # type: ignore[arg-type]
    assert mark(condition_with(one)) == mark(condition_with(one))  # type: ignore[arg-type]


def with_outcome(outcome: Outcome) -> Callable[[Login], object]:
    return lambda login: login.success is outcome.value


def test_two_conditions_made_with_members_of_an_enumeration_are_counted_apart() -> None:
    group = declared(good=count(where=with_outcome(Outcome.GOOD)), bad=count(where=with_outcome(Outcome.BAD)))
    shop = Driver(Registry([group]))
    for number, success in enumerate((True, True, False)):
        shop.send("logins", sign_in(number, number, success=success))
    shop.run()
    found = values(shop, group.name)
    assert (found["good"], found["bad"]) == ("2", "1")
