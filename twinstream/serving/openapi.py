"""The API's description in OpenAPI 3.1, made from the catalog, so that clients get each group's features typed."""

from typing import Any

from twinstream.core.feature_group import Feature, FeatureGroup
from twinstream.online.reader import Status
from twinstream.registry import Registry
from twinstream.serving.http import HTML, JSON
from twinstream.settings import Settings

Schema = dict[str, Any]

TYPES: dict[str, Schema] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "text": {"type": "string"},
    "names": {"type": "array", "items": {"type": "string"}},
}
"""The schema of each type that a feature can have; see `twinstream.core.validation`."""

_MOMENT = "ISO-8601 with a zone, or epoch milliseconds; without it, now."
_EPOCH_MS = "epoch milliseconds"


def openapi(registry: Registry, settings: Settings, version: str) -> Schema:
    """The description of the API for these groups and limits; `version` is the engine's."""
    schemas: Schema = {"Error": _error(), "MadeFrom": _made_from(), "FeaturesRequest": _request(registry, settings)}
    for group in registry:
        schemas[_name(group, "Features")] = _features(group)
        schemas[_name(group, "Answer")] = _answer(group)
    schemas["FeaturesResponse"] = _object(
        {
            "at": {"type": "integer", "description": f"The moment, {_EPOCH_MS}."},
            "answers": _object(
                {group.name: {"type": "array", "items": _ref(_name(group, "Answer"))} for group in registry}
            ),
        },
        required=["at", "answers"],
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Twinstream",
            "version": version,
            "description": "Features of entities, exactly as of any moment that is kept.",
        },
        "paths": _paths(registry),
        "components": {"schemas": schemas},
    }


def _paths(registry: Registry) -> Schema:
    paths: Schema = {
        "/v1/features": {
            "post": {
                "operationId": "readFeatures",
                "summary": "Features of many entities, of one or more groups, at one moment.",
                "requestBody": {"required": True, "content": {JSON: {"schema": _ref("FeaturesRequest")}}},
                "responses": _responses(
                    "An answer for each entity, in the order of the call.",
                    _ref("FeaturesResponse"),
                    400,
                    408,
                    413,
                    422,
                    503,
                ),
            }
        }
    }
    for group in registry:
        paths[f"/v1/features/{group.name}/{{entity}}"] = {
            "get": {
                "operationId": f"read{_name(group, 'Features')}",
                "summary": f"The {group.name} features of one {group.entity}.",
                "parameters": [
                    _parameter("entity", "path", f"The {group.entity}."),
                    _parameter("at", "query", _MOMENT),
                    _parameter("features", "query", "Names of features, with commas between; without it, all."),
                ],
                "responses": _responses("What is known of it.", _ref(_name(group, "Answer")), 404, 422, 503),
            }
        }
    a_text: Schema = {"type": "string"}
    return paths | {
        "/v1/catalog": _get("readCatalog", "Every group and feature: type, unit and meaning.", {"type": "object"}),
        "/healthz": _get("readHealth", "The process lives.", {"type": "object"}),
        "/readyz": _get("readReadiness", "Redis answers, and how far behind it is.", {"type": "object"}, 503),
        "/metrics": _get("readMetrics", "Numbers for Prometheus.", a_text, content_type="text/plain"),
        "/openapi.json": _get("readDescription", "This description.", {"type": "object"}),
        "/docs": _get("readDocs", "This description, for a person.", a_text, content_type=HTML),
    }


def _request(registry: Registry, settings: Settings) -> Schema:
    strings = {"type": "array", "items": {"type": "string"}}
    entities = _object({group.name: strings for group in registry})
    features = _object(
        {group.name: {"type": "array", "items": {"type": "string", "enum": list(group.names)}} for group in registry}
    )
    at = {"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}], "description": _MOMENT}
    return _object(
        {
            "entities": entities
            | {"description": f"By group, whose features are wanted; {settings.serving_max_entities} at most."},
            "at": at,
            "features": features
            | {"description": "By group, which features, in the order wanted; of a group not named, all of them."},
        },
        required=["entities"],
    )


def _features(group: FeatureGroup) -> Schema:
    about = f"Of one {group.entity}. All of them, unless the call names some."
    return _object({feature.name: _value(feature) for feature in group.features}) | {"description": about}


def _value(feature: Feature) -> Schema:
    schema = dict(TYPES[feature.type])
    if feature.nullable:
        schema["type"] = [schema["type"], "null"]
    unit = f" Unit: {feature.unit}." if feature.unit else ""
    return schema | {"description": f"{feature.meaning}{unit}"}


def _answer(group: FeatureGroup) -> Schema:
    number_or_null = {"type": ["integer", "null"]}
    return _object(
        {
            "entity": {"type": "string"},
            "status": {"type": "string", "enum": [status.value for status in Status]},
            "features": {"oneOf": [_ref(_name(group, "Features")), {"type": "null"}]},
            "event_time": number_or_null | {"description": f"Of the newest event, {_EPOCH_MS}."},
            "age_ms": number_or_null | {"description": "From the newest event to the moment, milliseconds."},
            "made_from": {"oneOf": [_ref("MadeFrom"), {"type": "null"}]},
            "detail": {"type": ["string", "null"], "description": "Why there are no features."},
        },
        required=["entity", "status", "features", "event_time", "age_ms", "made_from", "detail"],
    )


def _made_from() -> Schema:
    properties: Schema = {name: {"type": "string"} for name in ("group", "topic")}
    properties |= {name: {"type": "integer"} for name in ("version", "partition", "offset", "at")}
    properties["epoch"] = {"type": ["string", "null"]}
    return _object(properties, required=sorted(properties)) | {"description": "All that decides the features."}


def _error() -> Schema:
    properties: Schema = {
        "error": {"type": "string", "description": "The kind of refusal, for programs."},
        "message": {"type": "string", "description": "One sentence, for a person."},
    }
    return _object(properties, required=["error", "message"])


def _get(operation: str, summary: str, schema: Schema, *refusals: int, content_type: str = JSON) -> Schema:
    responses = _responses(summary, schema, content_type=content_type) | {
        str(status): {"description": summary, "content": {JSON: {"schema": {"type": "object"}}}} for status in refusals
    }
    return {"get": {"operationId": operation, "summary": summary, "responses": responses}}


def _responses(about: str, schema: Schema, *refusals: int, content_type: str = JSON) -> Schema:
    success: Schema = {"200": {"description": about, "content": {content_type: {"schema": schema}}}}
    refused = {"description": "Refused.", "content": {JSON: {"schema": _ref("Error")}}}
    return success | {str(status): refused for status in refusals}


def _parameter(name: str, where: str, about: str) -> Schema:
    return {
        "name": name,
        "in": where,
        "required": where == "path",
        "description": about,
        "schema": {"type": "string", "minLength": 1} if where == "path" else {"type": "string"},
    }


def _object(properties: Schema, required: list[str] | None = None) -> Schema:
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | {"required": required} if required else schema


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _name(group: FeatureGroup, suffix: str) -> str:
    """Of a type: letters and digits only, so that generators take it as it is."""
    words = "".join(each if each.isalnum() else " " for each in group.name).split()
    return "".join(word[0].upper() + word[1:] for word in words) + suffix
