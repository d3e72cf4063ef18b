"""`twinstream peek`: some records of a topic, for a person or a program."""

import base64
import codecs
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from twinstream.errors import UserError
from twinstream.log.kafka.newest_and_oldest import FullRecord
from twinstream.log.kafka.newest_and_oldest import peek as read
from twinstream.settings import load_settings
from twinstream.terminal import Terminal, plain, styled
from twinstream.timestamps import iso

SHOWN_RECORDS = 10
MAX_RECORDS = 1_000
SHOWN_BYTES = 2_000
"""How much of a key, a value or a header is printed; --json has all of it."""


def peek(
    topic: Annotated[str, typer.Argument(help="Any topic: events, dead letters, a feature log.", show_default=False)],
    first: Annotated[
        int | None, typer.Option(min=1, max=MAX_RECORDS, help="So many of the oldest records.", show_default=False)
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_RECORDS, help="So many of the newest; 10 unless said.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, a record a line, nothing cut.")] = False,
) -> None:
    """The newest or the oldest records of a topic by their Kafka time: headers, key and value as they are."""
    if first is not None and last is not None:
        raise UserError("Give --first or --last, not both.")
    count = first or last or SHOWN_RECORDS
    records = read(load_settings(), topic, count, newest=first is None)
    if as_json:
        for record in records:
            typer.echo(msgspec.json.encode(as_data(record)).decode())
        return
    terminal = Terminal()
    for record in records:
        for line in as_lines(record):
            terminal.say(line)
    if not records:
        Terminal(stderr=True).tell(plain(f"{topic} has no records."))


def as_data(record: FullRecord) -> dict[str, Any]:
    """A record as it is written in JSON; what is no UTF-8 is under `base64` instead of as text."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "timestamp_of": "broker" if record.append_timed else "producer",
        "key": _jsonable(record.key),
        "headers": [[_jsonable(name), _jsonable(content)] for name, content in record.headers],
        "value": _jsonable(record.value),
    }


def as_lines(record: FullRecord) -> list[Text]:
    """A record for a person: where it stands, its headers, its value."""
    clock = "the broker's clock" if record.append_timed else "its producer's clock"
    size = "null" if record.value is None else f"{len(record.value):,} byte{'s' * (len(record.value) != 1)}"
    key = ("no key",) if record.key is None else ("key ", (shown(record.key), "bold"))
    lines = [
        styled((f"{record.topic}-{record.partition}@{record.offset}", "bold"), f"  {size}, ", *key),
        styled(f"  {iso(record.timestamp)} by {clock}"),
    ]
    for name, content in record.headers:
        lines.append(
            styled("  header ", (shown(name), "cyan"), ": ", ("null" if content is None else shown(content), ""))
        )
    if record.value is not None:
        lines.append(styled("  ", (shown(record.value), "")))
    return [*lines, plain("")]


def shown(content: bytes) -> str:
    r"""Bytes for a person: UTF-8 as text, any other byte written out, a long rest only counted.

    >>> shown('{"city": "São Paulo"}'.encode()), shown(b"\x00\xff")
    ('{"city": "São Paulo"}', '\x00\\xff')
    """
    rest = len(content) - SHOWN_BYTES
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    text = decoder.decode(content[:SHOWN_BYTES], final=rest <= 0)  # no half a character at the cut
    return f"{text} … {rest:,} more bytes" if rest > 0 else text


def _jsonable(content: bytes | None) -> str | dict[str, str] | None:
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}
