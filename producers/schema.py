"""The record schemas of `schema/*.yaml`, and the check of a record against one."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

SCHEMA_FOLDER = Path(__file__).resolve().parent.parent / "schema"

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "timestamp": (str, int),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
}


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field of a record, as its YAML file says."""

    name: str
    type: str
    nullable: bool
    description: str
    example: Any
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    max_length: int | None = None
    pattern: str | None = None
    values: tuple[Any, ...] = ()
    fields: tuple["Field", ...] = ()


class Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a generated Parquet file promises beyond the fields: shares of fraud and of nulls, and the order of rows."""

    fraud_rate: float
    null_rates: dict[str, float]
    days: int
    sorted_by: str


class Schema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of record: its topic, the fields that are its key, time and id, and all its fields in order."""

    name: str
    topic: str
    key: str
    time: str
    id: str
    fields: tuple[Field, ...]
    dataset: Dataset | None = None

    def faults(self, record: Mapping[str, Any]) -> list[str]:
        """What is wrong with a record, one line each; empty when it is right. Unknown fields count as wrong."""
        return list(_faults(self.fields, record, ""))


@lru_cache
def load_schema(name: str) -> Schema:
    """The schema of that name (`transaction`, `order` or `click`)."""
    content = yaml.safe_load((SCHEMA_FOLDER / f"{name}_schema.yaml").read_text(encoding="utf-8"))
    return msgspec.convert(content, Schema)


def _faults(fields: tuple[Field, ...], record: Mapping[str, Any], path: str) -> Iterator[str]:
    known = {field.name for field in fields}
    yield from (f"{path}{name}: no such field" for name in record if name not in known)
    for field in fields:
        at = path + field.name
        if field.name not in record:
            yield f"{at}: missing"
            continue
        value: Any = record[field.name]
        if value is None:
            if not field.nullable:
                yield f"{at}: null"
        elif not _has_type(value, field.type):
            yield f"{at}: expected {field.type}, got {type(value).__name__}"
        elif field.type == "object":
            yield from _faults(field.fields, value, f"{at}.")
        else:
            fault = _value_fault(field, value)
            if fault:
                yield f"{at}: {fault}"


def _has_type(value: Any, type_name: str) -> bool:
    return isinstance(value, _PYTHON_TYPES[type_name]) and (type_name == "boolean" or not isinstance(value, bool))


def _value_fault(field: Field, value: Any) -> str | None:
    if field.minimum is not None and not value >= field.minimum:
        return f"{value} is below {field.minimum:g}"
    if field.maximum is not None and not value <= field.maximum:
        return f"{value} is above {field.maximum:g}"
    if field.max_length is not None and len(value) > field.max_length:
        return f"longer than {field.max_length} characters"
    if field.pattern is not None and not re.search(field.pattern, value):
        return f"{value!r} does not match {field.pattern}"
    if field.values and value not in field.values:
        return f"{value!r} is none of {', '.join(map(str, field.values))}"
    return None
