"""What changes the fingerprint of a type, and what does not."""

from typing import Any

import msgspec
import pytest

from features.events import Action, Payment, Place
from twinstream.core.fingerprint import fingerprint
from twinstream.core.state import state_version


def made(fields: list[Any], name: str = "Event", **options: Any) -> type[msgspec.Struct]:
    return msgspec.defstruct(name, fields, **({"array_like": True} | options))


FIELDS: list[Any] = [("time_ms", int), ("id", str), ("place", Place | None)]
EVENT = made(FIELDS)


@pytest.mark.parametrize(
    "other",
    [
        made([*FIELDS, ("device", str)]),
        made([*FIELDS, ("device", str | None, None)]),
        made(FIELDS[:-1]),
        made([FIELDS[1], FIELDS[0], FIELDS[2]]),
        made([("when_ms", int), *FIELDS[1:]]),
        made([("time_ms", float), *FIELDS[1:]]),
        made([*FIELDS[:-1], ("place", tuple[int, int, int] | None)]),
        made([*FIELDS[:-1], ("place", Place)]),
        made(FIELDS, array_like=False),
        made(FIELDS, tag="event"),
        made(FIELDS, rename={"id": "key"}),
    ],
    ids=[
        "a field more",
        "an optional one",
        "one less",
        "order",
        "name",
        "type",
        "inner type",
        "null",
        "map",
        "tag",
        "key",
    ],
)
def test_another_layout_has_another_fingerprint(other: type) -> None:
    assert fingerprint(other) != fingerprint(EVENT)
    assert fingerprint(list[other]) != fingerprint(list[EVENT])  # type: ignore[valid-type]


def test_the_name_of_a_class_and_the_order_of_alternatives_change_nothing() -> None:
    assert fingerprint(made([*FIELDS[:-1], ("place", None | Place)], name="Moved")) == fingerprint(EVENT)


def test_a_change_deep_inside_changes_the_fingerprint() -> None:
    outer, other = (made([("events", dict[str, list[inner]])]) for inner in (EVENT, made(FIELDS[:-1])))  # type: ignore[valid-type]
    assert fingerprint(outer) != fingerprint(other)


def test_groups_of_the_same_event_share_a_state_version_and_others_have_their_own() -> None:
    assert state_version(Payment) == state_version(Payment)
    assert state_version(Payment) != state_version(Action)
