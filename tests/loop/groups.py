"""Groups that come and go: definitions with a feature more, and one group's part of the outputs."""

from pathlib import Path
from typing import Any

import msgspec

from tests.loop.outputs import Outputs
from tests.reference import REGISTRY

_CLICKS_WITH_ANOTHER = """
from features.clickstream import clickstream_features
from twinstream import Family, Window

more = Family("more")


@more.feature(unit="events", meaning="Twice the events in the window.")
def twice(window: Window) -> int:
    return 2 * window.count


with_another = clickstream_features.next_version([more], [*clickstream_features.features, *more.features])
__all__ = ["with_another"]
"""


def clicks_with_another_feature(directory: Path) -> str:
    """A file with the next version of the clickstream group, which has the feature `twice`."""
    file = directory / "clicks.py"
    file.write_text(_CLICKS_WITH_ANOTHER)
    return str(file)


def of(group: str, outputs: Outputs) -> Outputs:
    """The part of the outputs that is a group's."""
    logs = f"features.{group}", f"{REGISTRY.named(group).topic}.dlq"
    return {name: made for name, made in outputs.items() if name in logs or name.startswith(f"features:{group}:")}


def without_the_other_feature(outputs: Outputs) -> int:
    """Make the clickstream's outputs those of its first version; returns how many records of the log were not."""
    gained = 0
    for name, made in outputs.items():
        if name == "features.clickstream":
            outputs[name] = [(number, key, _first_version(value)) for number, key, value in made]
            gained = sum(one != other for one, other in zip(made, outputs[name], strict=True))
        elif name.startswith("features:"):
            made.pop(b"twice", None)
    return gained


def _first_version(value: bytes) -> bytes:
    record: dict[str, Any] = msgspec.json.decode(value)
    if record["version"] == 1:
        return value
    twice = f',"twice":{record["features"]["twice"]}'.encode()
    assert value.count(b'"version":2') == value.count(twice) == 1
    return value.replace(b'"version":2', b'"version":1').replace(twice, b"")
