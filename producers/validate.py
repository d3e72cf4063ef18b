"""Checks of a generated Parquet file against `schema/transaction_schema.yaml`, with DuckDB."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from producers.schema import Dataset, Field, Schema, load_schema
from twinstream.errors import UserError

_DUCKDB_TYPES = {
    "id": ("VARCHAR", "ENUM"),
    "string": ("VARCHAR", "ENUM"),
    "timestamp": ("TIMESTAMP",),
    "integer": ("INTEGER",),
    "number": ("DOUBLE",),
    "amount": ("DOUBLE",),
    "boolean": ("BOOLEAN",),
}

_NOT_PUBLIC = (
    r"^(0|10|127)\.|^100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|^169\.254\.|^172\.(1[6-9]|2[0-9]|3[01])\."
    r"|^192\.(0\.[02]|168)\.|^198\.(1[89]|51\.100)\.|^203\.0\.113\.|^(22[4-9]|2[3-5][0-9])\."
)


class Check(NamedTuple):
    """One check: what was looked at, what was expected and what was found."""

    subject: str
    expected: str
    found: str
    passed: bool


def validate_file(path: str | Path) -> list[Check]:
    """Every check of one file, in the order of the schema.

    Raises:
        UserError: the file is missing, or is no Parquet file, or a damaged one.
    """
    schema = load_schema("transaction")
    assert schema.dataset is not None
    if Path(path).is_dir():
        raise UserError(f"{path} is a folder; expected a Parquet file.")
    if not Path(path).is_file():
        raise UserError(f'{path} is not there. Generate one with "python -m producers parquet".')
    with duckdb.connect() as connection:
        figures = Figures(connection, str(path), schema.dataset.sorted_by)
        types = {field.name: check for field, check in _types(schema, figures.types)}
        checks = [_columns(schema, figures.types), *types.values()]
        right = [field for field in schema.fields if field.name in types and types[field.name].passed]
        checks += [check for field in right for check in _values(field, figures)]
        if len(right) == len(schema.fields):
            checks += _dataset(schema, schema.dataset, figures)
        return checks


class Figures:
    """Aggregates of a file's rows; `before` is the sort column's value in the row before."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: str, sorted_by: str) -> None:
        self._connection = connection
        self._path = path
        columns = self._rows("DESCRIBE SELECT * FROM read_parquet($path)")
        self.types = {str(name): str(kind) for name, kind, *_ in columns}
        before = f"lag({sorted_by}) OVER ()" if sorted_by in self.types else "NULL"
        self._source = f"(SELECT *, {before} AS before FROM read_parquet($path))"
        self.count = int(self.one("count(*)"))

    def one(self, expression: str) -> Any:
        """The value of one aggregate."""
        return self._rows(f"SELECT {expression} FROM {self._source}")[0][0]

    def where(self, condition: str) -> int:
        """How many rows meet a condition."""
        return int(self.one(f"count(*) FILTER (WHERE {condition})"))

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, {"path": self._path}).fetchall()
        except duckdb.Error:
            raise UserError(
                f'{self._path} is no Parquet file, or a damaged one. Give one that "python -m producers parquet" wrote.'
            ) from None


def _columns(schema: Schema, types: dict[str, str]) -> Check:
    expected = [field.name for field in schema.fields]
    missing = [name for name in expected if name not in types]
    unknown = [name for name in types if name not in expected]
    found = f"{len(types)} columns"
    if missing:
        found += f", without {', '.join(missing)}"
    if unknown:
        found += f", with {', '.join(unknown)}"
    if not missing and not unknown and list(types) != expected:
        found += " in another order"
    return Check("columns", f"the schema's {len(expected)} in order", found, list(types) == expected)


def _types(schema: Schema, types: dict[str, str]) -> Iterator[tuple[Field, Check]]:
    for field in schema.fields:
        found = types.get(field.name)
        if found is not None:
            passed = found.startswith(_DUCKDB_TYPES[field.types[0]])
            yield field, Check(f"{field.name} type", field.type, found.split("(")[0], passed)


def _values(field: Field, figures: Figures) -> Iterator[Check]:
    name = field.name
    if not field.nullable:
        nulls = figures.where(f"{name} IS NULL")
        yield Check(f"{name} nulls", "none", str(nulls), nulls == 0)
    if field.type in {"integer", "number", "amount"} and field.minimum is not None:
        low, high = figures.one(f"min({name})"), figures.one(f"max({name})")
        outside = figures.where(f"{name} NOT BETWEEN {field.minimum!r} AND {field.maximum!r} OR isnan({name}::DOUBLE)")
        yield Check(f"{name} range", f"{field.minimum:g} to {field.maximum:g}", f"{low} to {high}", outside == 0)
    if values := field.values or field.generated.values:
        allowed = ", ".join(_literal(value) for value in values)
        bad = figures.where(f"{name}::VARCHAR NOT IN ({allowed})")
        yield Check(f"{name} set", f"one of {len(values)}", f"{bad} others", bad == 0)
    if pattern := field.generated.pattern or field.pattern:
        bad = figures.where(f"NOT regexp_full_match({name}::VARCHAR, {_literal(pattern)})")
        yield Check(f"{name} pattern", pattern, f"{bad} others", bad == 0)
    if field.max_length:
        longest = figures.one(f"max(length({name}::VARCHAR))") or 0
        yield Check(f"{name} length", f"at most {field.max_length}", str(longest), longest <= field.max_length)


def _dataset(schema: Schema, promise: Dataset, figures: Figures) -> Iterator[Check]:
    rows = figures.count
    frauds, expected = figures.where("label_fraud"), round(promise.fraud_rate * rows)
    yield Check("fraud rows", f"exactly {expected} ({promise.fraud_rate:.1%})", str(frauds), frauds == expected)
    for name, share in promise.null_rates.items():
        found = figures.where(f"{name} IS NULL") / max(1, rows)
        tolerance = max(1 / max(1, rows), 4 * math.sqrt(share * (1 - share) / max(1, rows)))
        yield Check(
            f"{name} null rate", f"{share:.1%} ± {tolerance:.2%}", f"{found:.2%}", abs(found - share) <= tolerance
        )
    alone = figures.where("(latitude IS NULL) <> (longitude IS NULL)")
    yield Check("coordinates", "null together", f"{alone} alone", alone == 0)
    private = figures.where(f"regexp_matches(ip_address::VARCHAR, '{_NOT_PUBLIC}')")
    yield Check("ip_address", "public", f"{private} others", private == 0)
    repeated = rows - int(figures.one(f"count(DISTINCT {schema.id})"))
    yield Check(f"{schema.id} unique", "no repeats", f"{repeated} repeats", repeated == 0)
    span_ms = figures.one(f"date_diff('millisecond', min({schema.time}), max({schema.time}))") or 0
    days = span_ms / 86_400_000
    yield Check(f"{schema.time} span", f"at most {promise.days} days", f"{days:.2f} days", days <= promise.days)
    yield _order(promise.sorted_by, figures)


def _order(column: str, figures: Figures) -> Check:
    descents = figures.one(f"coalesce(sum(({column} < before)::INTEGER), 0)") if figures.count else 0
    return Check("row order", f"by {column}", f"{descents} out of order", descents == 0)


def _literal(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"
