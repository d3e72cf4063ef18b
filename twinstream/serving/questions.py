"""What is asked: entities, a moment and features, taken from a body or a URL and checked against the catalog."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from twinstream.core.feature_group import FeatureGroup
from twinstream.errors import UserError
from twinstream.online.contract import EntityName
from twinstream.registry import Registry
from twinstream.serving.http import Refused
from twinstream.timestamps import parse_moment


class FeaturesBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /v1/features`.

    Attributes:
        entities: by the name of their group.
        at: the moment, as ISO-8601 with a zone or epoch ms; none for now.
        features: by the name of their group, in the order in which they are wanted; all of a group that is not named.
    """

    entities: dict[str, list[str]]
    at: int | str | None = None
    features: dict[str, list[str]] = {}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, checked.

    Attributes:
        groups: that the call names.
        entities: whom the answers are about, in the order of the call.
        at_ms: the moment, epoch ms.
        features: of each group that not all features are wanted of, their names.
    """

    groups: Sequence[str]
    entities: Sequence[EntityName]
    at_ms: int
    features: Mapping[str, Sequence[str]]


def of_body(body: bytes, registry: Registry, now_ms: int, max_entities: int) -> Question:
    """The question in a body.

    Raises:
        Refused: it is no JSON, not of the right form, too long, or names what is not there.
    """
    asked = _decoded(body)
    for group in asked.entities:
        _group(group, registry)
    entities = [(group, each) for group, names in asked.entities.items() for each in names]
    if len(entities) > max_entities:
        raise _wrong(
            "too_many_entities",
            f"The call names {len(entities)} entities, and at most {max_entities} are answered at once.",
        )
    for group, names in asked.features.items():
        _check_features(_group(group, registry), names)
        if group not in asked.entities:
            raise _wrong("wrong_body", f"Features of the group {group!r} are named, but no entities of it.")
    return Question(list(asked.entities), entities, _moment(asked.at, now_ms), asked.features)


def of_url(group: str, entity: str, query: Mapping[str, str], registry: Registry, now_ms: int) -> Question:
    """The question in a path and its query: `at`, and `features` with commas between.

    Raises:
        Refused: there is no such group, feature, moment or parameter.
    """
    definition = _group(group, registry, HTTPStatus.NOT_FOUND)
    unknown = query.keys() - {"at", "features"}
    if unknown:
        raise _wrong("wrong_parameter", f"There is no parameter {min(unknown)!r}. There are: at, features.")
    names = [name for name in query.get("features", "").split(",") if name]
    _check_features(definition, names)
    return Question([group], [(group, entity)], _moment(query.get("at"), now_ms), {group: names} if names else {})


def _decoded(body: bytes) -> FeaturesBody:
    try:
        return _decode(body)
    except msgspec.ValidationError as fault:
        raise _wrong("wrong_body", f"The body has not the right form: {fault}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Refused(HTTPStatus.BAD_REQUEST, "malformed", f"The body is not JSON: {fault}.") from None


def _group(name: str, registry: Registry, otherwise: HTTPStatus = HTTPStatus.UNPROCESSABLE_ENTITY) -> FeatureGroup:
    try:
        return registry.named(name)
    except UserError as fault:
        raise Refused(otherwise, "unknown_group", str(fault)) from None


def _check_features(group: FeatureGroup, names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in group.names]
    if unknown:
        raise _wrong(
            "unknown_feature", f"The group {group.name!r} has no feature {unknown[0]!r}. GET /v1/catalog lists them."
        )


def _moment(at: int | str | None, now_ms: int) -> int:
    if at is None:
        return now_ms
    try:
        return parse_moment(str(at))
    except UserError as fault:
        raise _wrong("wrong_moment", str(fault)) from None


def _wrong(error: str, message: str) -> Refused:
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, error, message)


_decode = msgspec.json.Decoder(FeaturesBody).decode
