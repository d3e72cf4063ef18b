"""`python -m store parity`: do two runs over one log say the same?

A run is known by what it wrote: its feature logs and dead letters, under its OUTPUT_PREFIX, and its features in Redis.
Rows of the two runs are paired by where they come from: a feature record or dead letter by the topic, partition and
offset of the record that it is the result of, a Redis hash by its key. Paired rows must be equal byte for byte, each
must be there once, and none may be without its pair.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated, Any

import msgspec
import redis
import typer
from rich.console import Console
from rich.table import Table

from features.groups import GROUPS
from runtime.errors import UserError
from runtime.kafka import read_topic
from runtime.settings import Settings, load_settings
from runtime.topics import dead_letter_topic, feature_log_topic
from store.keys import features_key

SHOWN = 5
"""Differences shown of each kind."""

Rows = Iterable[tuple[str, bytes]]
"""Where each row comes from, and its bytes."""


class _Origin(msgspec.Struct):
    """The part of a feature record or dead letter that says which record it is the result of."""

    topic: str
    partition: int
    offset: int


@dataclass(slots=True)
class Comparison:
    """Two runs' rows of one kind.

    Attributes:
        name: the kind.
        left, right: rows on each side.
        compared: rows that have a pair.
        missing: left without a pair.
        extra: right without a pair, or there more often than left.
        different: pairs with other bytes.
        shown: the first differences, in words.
    """

    name: str
    left: int = 0
    right: int = 0
    compared: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    shown: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.extra or self.different)


def compare(name: str, left: Rows, right: Rows) -> Comparison:
    """Pair the rows of two runs.

    >>> compare("log", [("t-0@1", b"a"), ("t-0@2", b"b")], [("t-0@1", b"a"), ("t-0@2", b"c")]).different
    1
    """
    result = Comparison(name)
    waiting: dict[str, list[bytes]] = {}
    for origin, value in left:
        result.left += 1
        waiting.setdefault(origin, []).append(value)
    for origin, value in right:
        result.right += 1
        pair = waiting.get(origin)
        if not pair:
            result.extra += 1
            _show(result, f"{origin}: only on the right: {_short(value)}")
            continue
        other = pair.pop(0)
        result.compared += 1
        if other != value:
            result.different += 1
            _show(result, f"{origin}: {_difference(other, value)}")
    for origin, values in waiting.items():
        result.missing += len(values)
        for value in values:
            _show(result, f"{origin}: only on the left: {_short(value)}")
    return result


def log_rows(settings: Settings, topic: str) -> Iterator[tuple[str, bytes]]:
    """The committed rows of a feature log or dead letter topic."""
    for record in read_topic(settings, topic):
        value = record.value or b""
        origin = _origin(value)
        yield f"{origin.topic}-{origin.partition}@{origin.offset}", value


def redis_rows(client: redis.Redis, group: str) -> Iterator[tuple[str, bytes]]:
    """The features of a group in a Redis database."""
    names = client.scan_iter(features_key(group, "*"), count=1_000)
    while block := list(islice(names, 500)):
        pipe = client.pipeline(transaction=False)
        for name in block:
            pipe.hgetall(name)
        for name, fields in zip(block, pipe.execute(), strict=True):
            plain = {key.decode(): value.decode() for key, value in sorted(fields.items())}
            yield name.decode(), msgspec.json.encode(plain)


def compare_runs(left: Settings, right: Settings) -> list[Comparison]:
    """Compare everything that two runs have written; Redis only when each run has a database of its own.

    Raises:
        UserError: the two are the same run.
    """
    apart = left.redis_connection_url != right.redis_connection_url
    if left.output_prefix == right.output_prefix:
        raise UserError(f"Both runs have OUTPUT_PREFIX {left.output_prefix!r}. Give the prefixes of two runs.")
    results = []
    for group in GROUPS.values():
        for topic in (feature_log_topic, dead_letter_topic):
            source = group.name if topic is feature_log_topic else group.topic
            names = [topic(source, each.output_prefix).name for each in (left, right)]
            label = topic(source).name
            results.append(compare(label, log_rows(left, names[0]), log_rows(right, names[1])))
        if apart:
            results.append(_compare_redis(group.name, left, right))
    return results


def _compare_redis(group: str, left: Settings, right: Settings) -> Comparison:
    with _client(left) as one, _client(right) as other:
        try:
            return compare(features_key(group, "*"), redis_rows(one, group), redis_rows(other, group))
        except redis.RedisError as error:
            raise UserError(
                f"Redis does not answer at {left.redis_address} or {right.redis_address} ({error}). "
                'Start it with "make up" or set REDIS_HOST and REDIS_PORT.'
            ) from None


def _client(settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(settings.redis_connection_url, socket_timeout=10, socket_connect_timeout=5)


def parity(
    left: Annotated[str, typer.Option(help="OUTPUT_PREFIX of the first run; '' for none.")],
    right: Annotated[str, typer.Option(help="OUTPUT_PREFIX of the second run.")],
    left_redis_db: Annotated[int | None, typer.Option(help="Redis database of the first run.")] = None,
    right_redis_db: Annotated[int | None, typer.Option(help="Redis database of the second run.")] = None,
    kafka_servers: Annotated[str | None, typer.Option(help="Kafka brokers, host:port.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Compare two runs over one log, row by row and byte by byte.

    Exit code 0: they are the same. 1: they differ. 2: one of them has written nothing.
    """
    sides = [
        load_settings(kafka_servers=kafka_servers, output_prefix=prefix, redis_db=database)
        for prefix, database in ((left, left_redis_db), (right, right_redis_db))
    ]
    results = compare_runs(*sides)
    if as_json:
        print(msgspec.json.encode([_as_dict(result) for result in results]).decode())
    else:
        _print(results, Console())
    for side, prefix, total in (("left", left, _total(results, "left")), ("right", right, _total(results, "right"))):
        if not total:
            raise UserError(f"The {side} run ({prefix!r}) has written nothing. Is its OUTPUT_PREFIX right?")
    if not all(result.same for result in results):
        raise typer.Exit(1)


def _total(results: Iterable[Comparison], side: str) -> int:
    return sum(int(getattr(result, side)) for result in results)


def _print(results: Iterable[Comparison], console: Console) -> None:
    table = Table("", "compared", "missing", "extra", "different", title="Parity")
    for column in table.columns[1:]:
        column.justify = "right"
    for result in results:
        counts = (result.compared, result.missing, result.extra, result.different)
        table.add_row(result.name, *(f"{count:,}" for count in counts), style=None if result.same else "red")
    console.print(table)
    for result in results:
        for line in result.shown:
            console.print(f"{result.name}  {line}", soft_wrap=True, markup=False, highlight=False)


def _as_dict(result: Comparison) -> Mapping[str, Any]:
    return msgspec.to_builtins(result) | {"same": result.same}  # type: ignore[no-any-return]


def _show(result: Comparison, line: str) -> None:
    if len(result.shown) < SHOWN:
        result.shown.append(line)


def _short(value: bytes) -> str:
    text = value.decode(errors="replace")
    return text if len(text) <= 200 else f"{text[:200]}… ({len(value)} bytes)"


def _difference(left: bytes, right: bytes) -> str:
    """The fields in which two rows differ, or where their bytes part."""
    try:
        one, other = _flat(msgspec.json.decode(left)), _flat(msgspec.json.decode(right))
    except (msgspec.DecodeError, AttributeError):
        one, other = {}, {}
    fields = [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)]
    if not fields:
        pairs = enumerate(zip(left, right, strict=False))
        at = next((at for at, (a, b) in pairs if a != b), min(len(left), len(right)))
        return f"bytes differ at {at}: {_short(left[at : at + 40])} / {_short(right[at : at + 40])}"
    return ", ".join(f"{name} {one.get(name)!r} / {other.get(name)!r}" for name in sorted(fields)[:SHOWN])


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """A feature record with its features beside its other fields."""
    features = record.get("features")
    rest = {name: value for name, value in record.items() if name != "features"}
    return rest | features if isinstance(features, dict) else record


_decode_origin: Callable[[bytes], _Origin] = msgspec.json.Decoder(_Origin).decode


def _origin(value: bytes) -> _Origin:
    try:
        return _decode_origin(value)
    except msgspec.DecodeError as error:
        raise UserError(f"Not a feature record or dead letter: {_short(value)} ({error})") from None
