"""The record schemas of `schema/*.yaml`, and the check of a record against one.

What passes here, the feature engine accepts, and the other way round.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from twinstream.core.fields import Timestamp, check_amount, check_id, epoch_ms
from twinstream.core.rejection import Rejected

SCHEMA_FOLDER = Path(__file__).resolve().parent.parent / "schema"

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "string": (str,),
    "timestamp": (str, int),
    "amount": (int, float, str),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
}


class Generated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What our own generators write into a field besides what its schema demands."""

    values: tuple[Any, ...] = ()
    pattern: str | None = None


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field of a record, as its YAML file says; the keys' meaning stands in `schema/transaction_schema.yaml`."""

    name: str
    type: str
    nullable: bool
    description: str
    example: Any
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    values: tuple[Any, ...] = ()
    generated: Generated = Generated()
    fields: tuple["Field", ...] = ()

    @property
    def types(self) -> list[str]:
        """The types that a value may have."""
        return self.type.split("|")


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
        """What is wrong with a record, one line each; empty when it is right.

        Unknown fields count as wrong here, though the engine ignores them: in a generated record they are a mistake.
        """
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
        value: Any = record.get(field.name)
        if value is None:
            if field.required:
                yield f"{at}: {'null' if field.name in record else 'missing'}"
        elif not any(_has_type(value, kind) for kind in field.types):
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
    try:
        number = _checked(field, value)
    except (Rejected, msgspec.ValidationError) as fault:
        return str(getattr(fault, "detail", fault)).partition(" - at ")[0]
    if field.minimum is not None and not number >= field.minimum:
        return f"{value} is below {field.minimum:g}"
    if field.maximum is not None and not number <= field.maximum:
        return f"{value} is above {field.maximum:g}"
    if isinstance(value, str):
        return _text_fault(field, value)
    return None


def _checked(field: Field, value: Any) -> Any:
    """The value, or the number that it is written for, once it has passed what the engine checks of such a type."""
    if field.type == "id":
        check_id(value, field.name)
    elif field.type == "timestamp":
        epoch_ms(msgspec.convert(value, Timestamp), field.name)
    elif field.type == "amount" and isinstance(value, str):
        return check_amount(value, field.name)
    return value


def _text_fault(field: Field, text: str) -> str | None:
    shortest, longest = (1, 128) if field.type == "id" else (field.min_length, field.max_length)
    if shortest is not None and len(text) < shortest:
        return f"shorter than {shortest} characters"
    if longest is not None and len(text) > longest:
        return f"longer than {longest} characters"
    if field.pattern is not None and not re.fullmatch(field.pattern, text):
        return f"{text!r} does not match {field.pattern}"
    if field.values and text not in field.values:
        return f"{text!r} is none of {', '.join(map(str, field.values))}"
    return None
