"""From a class that declares a group to the group that the engine runs.

What the features read is gathered first: each source once, and each accumulator once. The kept struct has a field for
every source, in the order of their names, so that it stays the same when features are moved or added over the same
sources, and the states with it.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from types import FunctionType, MemberDescriptorType
from typing import Any

import msgspec

from twinstream.core.feature_group import Family, Feature, FeatureGroup, Scoring
from twinstream.core.fields import check_id, epoch_ms
from twinstream.core.validation import DefinitionError, value_type
from twinstream.declare import functions
from twinstream.declare.aggregated import Aggregated
from twinstream.declare.computed import Computed
from twinstream.declare.decoding import decoding
from twinstream.declare.kept import DeclaredWindow, Plan, answering
from twinstream.declare.sources import Source, field_of, hints, is_checked_by

ALWAYS_KEPT = (("time_ms", int), ("offset", int), ("id", str))
WORDS = "twinstream.declare.words."


def compiled(
    cls: type[Any],
    *,
    event: type[msgspec.Struct],
    topic: str,
    entity: Any,
    time: Any,
    id: Any,
    name: str | None = None,
    version: int = 1,
    scoring: Scoring | None = None,
) -> FeatureGroup:
    """The group that a class declares.

    Raises:
        DefinitionError: something of it does not fit together.
    """
    if not (isinstance(event, type) and issubclass(event, msgspec.Struct)):
        raise DefinitionError(f"{cls.__name__} has event={event!r}, which is no event. Declare a class of Event for it")
    if not topic:
        raise DefinitionError(f'{cls.__name__} does not say which topic it reads. Give it topic="…"')
    entity_field = _field(cls, event, "entity", entity, check_id, "an Id")
    time_field = _field(cls, event, "time", time, epoch_ms, "a Timestamp")
    id_field = _field(cls, event, "id", id, check_id, "an Id")
    declared = declared_in(cls)
    aggregated = [each for each in declared.values() if isinstance(each, Aggregated)]
    parts = tuple(dict.fromkeys(part for each in aggregated for part in each.parts))
    for feature, each in declared.items():
        if isinstance(each, Aggregated):
            _check_sources(feature, each, event)
    sources = {source.name: source for part in parts for source in part.sources}
    kept_as = {time_field: "time_ms", id_field: "id"}
    others = [sources[each] for each in sorted(sources) if sources[each].function or each not in kept_as]

    def name_of(source: Source) -> str:
        if source.function is None and source.name in kept_as:
            return kept_as[source.name]
        return _kept_name(source.name, event.__struct_fields__)

    kept: Any = msgspec.defstruct(
        event.__name__,
        [*ALWAYS_KEPT, *((name_of(source), source.kept_type) for source in others)],
        frozen=True,
        gc=False,
        array_like=True,
    )
    cls._answers = {each: answering(each, [parts.index(part) for part in each.parts]) for each in aggregated}
    return FeatureGroup(
        name=name or group_name(cls),
        version=version,
        topic=topic,
        entity=entity_field,
        time=time_field,
        id=id_field,
        wire_type=event,
        event_type=kept,
        decode=decoding(event, kept, entity_field, time_field, id_field, others),
        window=partial(DeclaredWindow, Plan(parts, name_of)),
        families=(_family(cls, declared),),
        scoring=scoring,
    )


def missing_arguments(cls: type[Any], **given: Any) -> None:
    """Check that a class without an event was not meant to be a group.

    Raises:
        DefinitionError: it was.
    """
    for name, value in given.items():
        if value:
            raise DefinitionError(f"{cls.__name__} has {name}= and no event. Give it event=, the class of its records")


def declared_in(cls: type[Any]) -> dict[str, Aggregated[Any] | Computed[Any]]:
    """The features of a class by name, those of its bases first; what a class names anew stays at its place.

    Raises:
        DefinitionError: an attribute is no feature, but looks as if it was meant to be one.
    """
    names = dict.fromkeys(name for each in _bases_first(cls) for name in vars(each))
    found = {}
    for name in names:
        value = next(vars(each)[name] for each in cls.__mro__ if name in vars(each))
        if isinstance(value, Aggregated | Computed):
            if name in _TAKEN:
                raise DefinitionError(f"The feature {name!r} of {cls.__name__} has a name that is taken. Rename it")
            found[name] = value
        elif isinstance(value, MemberDescriptorType) and issubclass(value.__objclass__, msgspec.Struct):
            field = f"{value.__objclass__.__name__}.{value.__name__}"
            raise DefinitionError(f"{cls.__name__}.{name} is the field {field}. Say what of it: {name} = last({field})")
        elif isinstance(value, FunctionType) and value.__module__.startswith(WORDS):
            raise DefinitionError(f"{cls.__name__}.{name} is the word itself. Call it: {name} = {value.__name__}(…)")
    return found


def group_name(cls: type[Any]) -> str:
    """The name that a group has by default.

    >>> group_name(type("CardPaymentFeatures", (), {}))
    'card_payment'
    """
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", cls.__name__.removesuffix("Features") or cls.__name__)
    return "_".join(words).lower()


_TAKEN = ("window", "_answers", "_definition")


def _bases_first(cls: type[Any]) -> Iterable[type[Any]]:
    for base in cls.__bases__:
        if base is not object:
            yield from _bases_first(base)
    yield cls


def _family(cls: type[Any], declared: dict[str, Aggregated[Any] | Computed[Any]]) -> Family[Any]:
    """The public features of a class: answers of the window, and methods of its view."""
    family: Family[Any] = Family(cls.__name__)
    view = partial(view_of, cls)
    for name, each in declared.items():
        if name.startswith("_"):
            continue
        try:
            kind, nullable = value_type(name, each.returns)
        except DefinitionError as fault:
            raise DefinitionError(
                f"{fault}. What only the methods read has a name with an underscore in front"
            ) from None
        compute, derive = (each.function, view) if isinstance(each, Computed) else (cls._answers[each], None)
        family.features.append(Feature(name, kind, nullable, each.unit, each.meaning, family.name, compute, derive))
    return family


def view_of(cls: type[Any], window: DeclaredWindow) -> Any:
    """What the methods of a class get as `self`.

    The window does not keep it, since the two would hold each other: a worker frees the states that it forgets without
    looking for such cycles.
    """
    view = object.__new__(cls)
    view.window = window
    return view


def _field(
    cls: type[Any], event: type[msgspec.Struct], role: str, given: Any, check: Callable[..., Any], kind: str
) -> str:
    """The name of the event's field that a class gives for a role."""
    if not isinstance(given, MemberDescriptorType):
        said = "does not say" if given is None else f"has {role}={given!r}, which is no field. Say"
        raise DefinitionError(
            f"{cls.__name__} {said} which field is its {role}, such as {role}={event.__name__}.{role}"
        )
    name = given.__name__
    if not issubclass(event, given.__objclass__):
        raise DefinitionError(
            f"{cls.__name__} takes its {role} from {given.__objclass__.__name__}.{name}, and its event is "
            f"{event.__name__}"
        )
    if not is_checked_by(hints(event)[name], check):
        raise DefinitionError(
            f"{event.__name__}.{name} cannot be the {role} of {cls.__name__}: its type is not {kind}, never null"
        )
    return name


def _check_sources(feature: str, aggregated: Aggregated[Any], event: type[msgspec.Struct]) -> None:
    """Check that an event has what a feature reads of it."""
    for source in (source for part in aggregated.parts for source in part.sources):
        if source.function is not None:
            functions.check_fields_read(source.function, event)
        elif source.event is None or not issubclass(event, source.event):
            raise DefinitionError(f"{feature} reads {source.place}, and the event of its group is {event.__name__}")
        elif field_of(event, source.name).kept_type != source.kept_type:  # the descriptor is that of the base
            raise DefinitionError(
                f"{feature} reads {event.__name__}.{source.name}, which has another type than {source.place}. Rename it"
            )


def _kept_name(name: str, fields: tuple[str, ...]) -> str:
    """The name in the kept struct; of a field that is named as one that every event has, another one."""
    if name in dict(ALWAYS_KEPT):
        while name in fields or name in dict(ALWAYS_KEPT):
            name += "_"
    return name
