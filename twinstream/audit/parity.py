"""`twinstream parity`: do two runs over one log say the same?

A run is known by what it wrote: its feature logs and dead letters, under its OUTPUT_PREFIX, and its features in Redis.
Rows of the two runs are paired by where they come from: a feature record or dead letter by the topic, partition and
offset of the record that it is the result of, a Redis hash by its key. Paired rows must be equal byte for byte, each
must be there once, and none may be without its pair. In a topic that several groups read, a record may have a dead
letter for each reason that groups refused it for; there, what a group that came later has written again counts once.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from twinstream.audit.comparing import Comparison, compare
from twinstream.audit.monitoring import monitor
from twinstream.audit.rederive import Sample, rederive_run
from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.log.kafka import read_topic
from twinstream.log.rows import row_decoder
from twinstream.log.topics import Topic, dead_letter_topic, feature_log_topic
from twinstream.online.contract import OnlineReader
from twinstream.online.redis.connection import connect_reader
from twinstream.online.redis.keys import features_key
from twinstream.registry import Registry
from twinstream.settings import Settings, load_settings
from twinstream.terminal import Features, Terminal, plain


class _Origin(msgspec.Struct):
    """The part of a feature record or dead letter that says which record it is the result of."""

    topic: str
    partition: int
    offset: int


def log_rows(settings: Settings, topic: str) -> Generator[tuple[str, bytes], None, None]:
    """The committed rows of a feature log or dead letter topic."""
    with closing(read_topic(settings, topic)) as records:
        for record in records:
            origin = _decode_origin(record)
            yield f"{origin.topic}-{origin.partition}@{origin.offset}", record.value or b""


def online_rows(store: OnlineReader, group: str) -> Iterator[tuple[str, bytes]]:
    """The features of a group in an online store."""
    for entity, fields in store.all_features(group):
        yield features_key(group, entity), msgspec.json.encode(dict(sorted(fields.items())))


def compare_runs(registry: Registry, left: Settings, right: Settings) -> list[Comparison]:
    """Compare everything that two runs have written; Redis only when each run has a database of its own.

    Raises:
        UserError: the two are the same run.
    """
    apart = left.redis_connection_url != right.redis_connection_url
    if left.output_prefix == right.output_prefix:
        raise UserError(f"Both runs have OUTPUT_PREFIX {left.output_prefix!r}. Give the prefixes of two runs.")
    results = []
    for topic in registry.topics:
        groups = registry.of_topic(topic)
        for group in groups:
            results.append(_compare_logs(partial(feature_log_topic, group.name), left, right))
        results.append(_compare_logs(partial(dead_letter_topic, topic), left, right, several=len(groups) > 1))
        if apart:
            results += [_compare_online(group.name, left, right) for group in groups]
    return results


def _compare_logs(topic: Callable[[str], Topic], left: Settings, right: Settings, several: bool = False) -> Comparison:
    """The topics that two runs wrote under their prefixes; of a record there may be several rows in it, or one."""
    names = [topic(each.output_prefix).name for each in (left, right)]
    with closing(log_rows(left, names[0])) as one, closing(log_rows(right, names[1])) as other:
        return compare(topic("").name, one, other, several)


def _compare_online(group: str, left: Settings, right: Settings) -> Comparison:
    with closing(connect_reader(left)) as one, closing(connect_reader(right)) as other:
        return compare(features_key(group, "*"), online_rows(one, group), online_rows(other, group))


def parity(
    left: Annotated[str | None, typer.Option(help="OUTPUT_PREFIX of the first run; '' for none.")] = None,
    right: Annotated[str | None, typer.Option(help="OUTPUT_PREFIX of the second run.")] = None,
    left_redis_db: Annotated[int | None, typer.Option(help="Redis database of the first run.")] = None,
    right_redis_db: Annotated[int | None, typer.Option(help="Redis database of the second run.")] = None,
    rederive: Annotated[
        bool, typer.Option("--rederive", help="Compare one run with its source topics, replayed.")
    ] = False,
    share: Annotated[
        float, typer.Option(min=0.0001, max=1, help="With --rederive: of the entities, chosen by hash.")
    ] = 1,
    entity: Annotated[list[str] | None, typer.Option(help="With --rederive: only this one; again for more.")] = None,
    group: Annotated[str | None, typer.Option(help="With --rederive: only this group.", show_default="all")] = None,
    every: Annotated[float | None, typer.Option(min=1, help="With --rederive: again after so many seconds.")] = None,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="With --every: port of /metrics; 0 for any.")
    ] = 8089,
    consumer_group: Annotated[
        str | None, typer.Option(help="With --rederive: who wrote the log; what it has committed is compared.")
    ] = None,
    output_prefix: Annotated[str | None, typer.Option(help="With --rederive: OUTPUT_PREFIX of the run.")] = None,
    features: Features = None,
    kafka_servers: Annotated[str | None, typer.Option(help="Kafka brokers, host:port.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Compare two runs over one log, or a run with its own source (--rederive), row by row and byte by byte.

    Exit code 0: they are the same. 1: they differ. 2: there is nothing to compare.
    """
    if rederive:
        if left is not None or right is not None:
            raise UserError("--rederive compares a run with its source: give --output-prefix, not --left and --right.")
        settings = load_settings(
            features=features,
            kafka_servers=kafka_servers,
            output_prefix=output_prefix,
            consumer_group=consumer_group,
        )
        registry = load_registry(settings.features)
        sample = Sample(share, frozenset(entity or ()))
        if every is None:
            finish(rederive_run(settings, registry, sample, group), as_json)
        else:
            monitor(
                lambda: rederive_run(settings, registry, sample, group),
                every,
                metrics_port,
                lambda results: show(results, as_json),
            )
        return
    if left is None or right is None:
        raise UserError("Give the prefixes of two runs, --left and --right; or --rederive, for one run and its source.")
    sides = [
        load_settings(features=features, kafka_servers=kafka_servers, output_prefix=prefix, redis_db=database)
        for prefix, database in ((left, left_redis_db), (right, right_redis_db))
    ]
    results = compare_runs(load_registry(sides[0].features), *sides)
    for side, prefix, total in (("left", left, _total(results, "left")), ("right", right, _total(results, "right"))):
        if not total:
            raise UserError(f"The {side} run ({prefix!r}) has written nothing. Is its OUTPUT_PREFIX right?")
    finish(results, as_json)


def finish(results: list[Comparison], as_json: bool) -> None:
    """Show results; exit code 1 if anything differs."""
    show(results, as_json)
    if not all(result.same for result in results):
        raise typer.Exit(1)


def show(results: list[Comparison], as_json: bool) -> None:
    """Show results as a table, or as JSON."""
    if as_json:
        typer.echo(msgspec.json.encode([_as_dict(result) for result in results]).decode())
    else:
        _print(results, Terminal())


def _total(results: Iterable[Comparison], side: str) -> int:
    return sum(int(getattr(result, side)) for result in results)


def _print(results: Iterable[Comparison], console: Terminal) -> None:
    table = Table("", "compared", "missing", "extra", "different", title="Parity")
    for column in table.columns[1:]:
        column.justify = "right"
    for result in results:
        counts = (result.compared, result.missing, result.extra, result.different)
        table.add_row(result.name, *(f"{count:,}" for count in counts), style=None if result.same else "red")
    console.print(table)
    for result in results:
        for line in result.shown:
            console.say(plain(f"{result.name}  {line}"))


def _as_dict(result: Comparison) -> Mapping[str, Any]:
    return msgspec.to_builtins(result) | {"same": result.same}  # type: ignore[no-any-return]


_decode_origin = row_decoder(_Origin, "feature record or dead letter")
