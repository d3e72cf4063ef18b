"""What a feature is, how features make up a group, and the catalog of them all.

A feature is one function of a window, registered with its unit and meaning; its name and type are the function's own.
Everything that lists features (vectors, Redis fields, Parquet columns, the docs table) is derived from here.
"""

import re
import sys
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from types import FrameType
from typing import Any, Generic, TypeVar, get_type_hints

import msgspec

from twinstream.core.event import RetainedEvent
from twinstream.core.rejection import Rejected
from twinstream.core.validation import DefinitionError, check_event, check_fields, check_names, value_type
from twinstream.core.window import Window

Value = int | float | bool | str | tuple[str, ...] | None
"""What a feature can be. A tuple is a list of names."""

Decode = Callable[[bytes | None, int], tuple[str, RetainedEvent]]
"""Bytes and offset of a record to its entity and the event that is kept of it."""

T = TypeVar("T")
V = TypeVar("V", bound=Value)

_is_name = re.compile(r"[A-Za-z0-9._-]+").fullmatch


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: its definition and what is said about it in the catalog.

    `compute` is a function of what `derive` makes of the window, or of the window itself where there is no `derive`.
    """

    name: str
    type: str
    nullable: bool
    unit: str
    meaning: str
    family: str
    compute: Callable[[Any], Value]
    derive: Callable[[Any], Any] | None = None


class Family(Generic[T]):
    """Features of one theme: functions of a window, or of what the family derives from a window.

    Args:
        name: of the theme.
        derive: makes of a window what the features need in common, once for all of them; each then gets that instead.

    >>> family: Family[Window[Any]] = Family("size")
    >>> @family.feature(unit="events", meaning="Events in the window.")
    ... def events(window: Window[Any]) -> int:
    ...     return window.count
    >>> [(feature.name, feature.type) for feature in family.features]
    [('events', 'int')]
    """

    def __init__(self, name: str, derive: Callable[[Any], T] | None = None) -> None:
        self.name = name
        self.derive = derive
        self.features: list[Feature] = []

    def feature(self, *, unit: str, meaning: str) -> Callable[[Callable[[T], V]], Callable[[T], V]]:
        """Register the decorated function as a feature of this family."""

        def register(compute: Callable[[T], V]) -> Callable[[T], V]:
            type_name, nullable = value_type(compute.__name__, get_type_hints(compute).get("return"))
            about = " ".join(meaning.split())
            self.features.append(
                Feature(compute.__name__, type_name, nullable, unit, about, self.name, compute, self.derive)
            )
            return compute

        return register


@dataclass(frozen=True, slots=True)
class Scoring:
    """A feature that is to rank what a field of the source records marks, so that `evaluate` can say how well it does.

    Attributes:
        score: the feature; the higher, the likelier.
        label: the field: true or 1 for what is to be found, null where nobody knows.
        baseline: a field with a number that ranks the records, too; the score is compared with it.
        baseline_unit: the field with that number's unit: only numbers of one unit can be compared with each other.
    """

    score: str
    label: str
    baseline: str
    baseline_unit: str


class FeatureGroup:
    """The features that are computed together from one topic's events, for one kind of entity.

    Args:
        name: of the group; names the feature log topic and the Redis keys.
        version: of the definitions; raised when the meaning of a feature changes.
        topic: source topic.
        entity: the field of the record that identifies the entity.
        time, id: the fields that say when it happened, and that tell it from others.
        wire_type: the record; what it does not list is not read.
        event_type: what is kept in state of each record.
        decode: bytes and offset to (entity, state event); raises `Rejected`. Whatever else it raises is `internal`.
        window: makes an empty window, given its size in ms.
        families: the features.
        scoring: the feature that can be evaluated, if one can.

    Raises:
        DefinitionError: something of it does not fit together.

    Attributes:
        names: of the features, in the catalog's order.
        lists, texts: which of them, by position, are lists of names, and which are text.
        values: a struct type with one field per feature, in the same order.
        decoder: `decode` as it was given; groups with the same one decode every record alike.
        place: the file and line of its definition, for messages.
    """

    def __init__(
        self,
        *,
        name: str,
        version: int,
        topic: str,
        entity: str,
        time: str,
        id: str,
        wire_type: type[msgspec.Struct],
        event_type: type[RetainedEvent],
        decode: Decode,
        window: Callable[[int], Window[Any]],
        families: Sequence[Family[Any]],
        scoring: Scoring | None = None,
    ) -> None:
        if not _is_name(name) or not _is_name(topic):
            raise DefinitionError(f"{name!r} over {topic!r}: a group and a topic are named with letters, digits, . _ -")
        check_fields(name, wire_type, entity=entity, time=time, id=id)
        check_event(name, event_type)
        self.place = _place_of_definition()
        self.name = name
        self.version = version
        self.topic = topic
        self.entity = entity
        self.time = time
        self.id = id
        self.wire_type = wire_type
        self.event_type = event_type
        self.decoder = decode
        self.decode = _rejecting(decode)
        self.window = window
        self.families = tuple(families)
        self.scoring = scoring
        self._set([feature for family in families for feature in family.features])

    def with_features(self, features: Sequence[Feature]) -> "FeatureGroup":
        """The same group with these features."""
        other = copy(self)
        other._set(features)
        return other

    def next_version(self, families: Sequence[Family[Any]], features: Sequence[Feature]) -> "FeatureGroup":
        """The group's next version: with more families, and with these features of all of them."""
        other = copy(self)
        other.version += 1
        other.families = (*self.families, *families)
        other._set(features)
        return other

    def with_topic(self, topic: str) -> "FeatureGroup":
        """The same group over another source topic."""
        other = copy(self)
        other.topic = topic
        return other

    def _set(self, features: Sequence[Feature]) -> None:
        check_names(self.name, [feature.name for feature in features])
        self.features = tuple(features)
        self.names = tuple(feature.name for feature in features)
        self.lists = tuple(at for at, feature in enumerate(features) if feature.type == "names")
        self.texts = tuple(at for at, feature in enumerate(features) if feature.type == "text")
        self._computes = tuple(
            (derive, tuple(feature.compute for feature in alike))
            for derive, alike in groupby(features, attrgetter("derive"))
        )
        self.values: type[msgspec.Struct] = msgspec.defstruct(
            f"{self.name.title()}Features",
            [(feature.name, Any) for feature in features],
            frozen=True,
            gc=False,
        )

    def compute(self, window: Window[Any]) -> msgspec.Struct:
        """Every feature's value at the moment the window ends at.

        Raises:
            Rejected: `internal`, naming the feature and what it raised. The traceback is on the cause.
        """
        values: list[Value] = []
        try:
            for derive, computes in self._computes:
                given = window if derive is None else derive(window)
                values += [compute(given) for compute in computes]
        except Exception as fault:
            name = self._first_failing(window)
            raise Rejected("internal", f"{name} raised {type(fault).__name__}") from fault
        return self.values(*values)

    def _first_failing(self, window: Window[Any]) -> str:
        """Name of the feature that raises, or of the family whose `derive` does; pure, they do so again."""
        for feature in self.features:
            try:
                given = window if feature.derive is None else feature.derive(window)
            except Exception:
                return feature.family
            try:
                feature.compute(given)
            except Exception:
                return feature.name
        return "a feature"


def _place_of_definition() -> str:
    """File and line of whoever is defining a group: the nearest caller that is not of the engine."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_ENGINE):
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


_ENGINE = f"{__name__.partition('.')[0]}."


def _rejecting(decode: Decode) -> Decode:
    """The same, but a record that it fails on is rejected and does not stop the stream; the cause says why."""

    def checked(value: bytes | None, offset: int) -> tuple[str, RetainedEvent]:
        try:
            return decode(value, offset)
        except Rejected:
            raise
        except Exception as fault:
            raise Rejected("internal", f"decode raised {type(fault).__name__}") from fault

    return checked
