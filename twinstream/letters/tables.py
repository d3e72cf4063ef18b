"""Dead letters for a person."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from rich import box
from rich.console import Group
from rich.syntax import Syntax
from rich.table import Table

from twinstream.core.dead_letters import DeadLetter
from twinstream.core.rejection import REASONS
from twinstream.letters.selection import Notes, place
from twinstream.letters.verdicts import REMEDIES, Verdict
from twinstream.log.rows import UNDECODABLE, short
from twinstream.terminal import plain, styled, visible
from twinstream.timestamps import iso

BARS = "▁▂▃▄▅▆▇█"
SPANS = 24
"""Into how many parts the time of the dead letters is divided."""

SHOWN_ENTITIES = 20
SHOWN_BYTES = 16_384
"""How much of a record `show` prints; --json has all of it."""


def letters_table(letters: Iterable[DeadLetter], notes: Mapping[str, Notes]) -> Table:
    """Dead letters, two lines each or more."""
    table = Table("record, came in", "reason, key", "what was wrong", box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.overflow = "fold"
    for letter in letters:
        redriven = (letter.partition, letter.offset) in notes[letter.topic].redriven
        table.add_row(
            styled((place(letter), ""), "\n", (f"  {iso(letter.timestamp)}", "dim")),
            styled((f"{letter.reason} ↻" if redriven else letter.reason, "yellow"), "\n", (f"  {_key(letter)}", "")),
            plain(letter.detail),
        )
    if table.row_count:
        table.caption = "↻ has been re-driven. A record in full: twinstream dead-letters show RECORD"
    else:
        table.caption = "There are none."
    return table


def letter_table(letter: DeadLetter, notes: Notes) -> Group:
    """One dead letter in full."""
    table = Table(box=box.SIMPLE, show_header=False)
    lateness = "" if letter.lateness_ms is None else f", {letter.lateness_ms / 1000:+.3f} s behind it"
    watermark = "none yet" if letter.watermark is None else f"{iso(letter.watermark)}{lateness}"
    state = "yes" if (letter.partition, letter.offset) in notes.redriven else "no"
    rows = {
        "record": place(letter),
        "came in": iso(letter.timestamp),
        "reason": letter.reason,
        "what was wrong": letter.detail,
        "key": _key(letter),
        "watermark": watermark,
        "re-driven": state,
        "bytes": "null" if letter.value is None else f"{len(letter.value):,}",
    }
    for name, value in rows.items():
        table.add_row(name, plain(value))
    return Group(table, _value(letter.value or b""))


@dataclass(slots=True)
class Summary:
    """Counts by topic and reason, and when."""

    times: dict[tuple[str, str], Counter[int]] = field(default_factory=dict)
    """By topic and reason, how many records came in, by second."""

    def add(self, letter: DeadLetter) -> None:
        """Count one."""
        self.times.setdefault((letter.topic, letter.reason), Counter())[letter.timestamp // 1000] += 1

    def as_data(self) -> list[dict[str, Any]]:
        """By topic and reason, in their order; times in epoch ms."""
        return [
            {
                "topic": topic,
                "reason": reason,
                "records": seconds.total(),
                "first": min(seconds) * 1000,
                "last": max(seconds) * 1000,
            }
            for (topic, reason), seconds in self._in_order()
        ]

    def _in_order(self) -> list[tuple[tuple[str, str], Counter[int]]]:
        return sorted(self.times.items(), key=lambda each: (each[0][0], REASONS.index(each[0][1])))


def stats_table(summary: Summary) -> Table:
    """Counts by topic and reason, with a small picture of when."""
    seconds = [second for counter in summary.times.values() for second in counter]
    first, last = min(seconds, default=0), max(seconds, default=0)
    table = Table("topic, reason", "letters", "first, last", "over time", box=box.SIMPLE_HEAD)
    table.columns[1].justify = "right"
    for column in table.columns:
        column.no_wrap = True
    for row in summary.as_data():
        bars = _bars(summary.times[row["topic"], row["reason"]], first, last)
        times = "\n".join(iso(row[name])[:19].replace("T", " ") for name in ("first", "last"))
        kind = styled((row["topic"], ""), "\n  ", (row["reason"], "yellow"))
        table.add_row(kind, f"{row['records']:,}", times, bars)
    table.caption = (
        f"{sum(row['records'] for row in summary.as_data()):,} dead letters" if seconds else "There are none."
    )
    return table


def report_tables(
    outcomes: Counter[tuple[Verdict, str, str]],
    details: Mapping[tuple[Verdict, str, str], str],
    entities: Counter[tuple[str, str]],
    dry_run: bool,
) -> list[Table]:
    """What a replay did, or would do: by outcome, and the entities whose features it concerns."""
    title = "What would happen" if dry_run else "What happened"
    table = Table("outcome", "set aside", "letters", "what to do", title=title, box=box.SIMPLE_HEAD)
    table.columns[2].justify = "right"
    table.columns[3].overflow = "fold"
    for kind in sorted(outcomes, key=lambda each: (list(Verdict).index(each[0]), each[1], each[2])):
        verdict, topic, reason = kind
        remedy = REMEDIES[verdict] + (f" ({details[kind]})" if details[kind] else "")
        table.add_row(verdict, styled((topic, ""), "\n", (f"  {reason}", "dim")), f"{outcomes[kind]:,}", plain(remedy))
    if not outcomes:
        table.caption = "There are no such dead letters."
    if not entities:
        return [table]
    concerned = Table("group", "entity", "records", title="Entities whose features change", box=box.SIMPLE_HEAD)
    for (group, entity), count in entities.most_common(SHOWN_ENTITIES):
        concerned.add_row(group, plain(entity), f"{count:,}")
    if len(entities) > SHOWN_ENTITIES:
        concerned.caption = f"and {len(entities) - SHOWN_ENTITIES:,} more; --json has all"
    return [table, concerned]


def _key(letter: DeadLetter) -> str:
    return "" if letter.key is None else short(letter.key)[:40]


def _value(value: bytes) -> Syntax | str:
    """A record's bytes: JSON indented, text as it is, anything else as Python writes it."""
    beginning = value[:SHOWN_BYTES]
    rest = f"\n… {len(value) - SHOWN_BYTES:,} more bytes" if len(value) > SHOWN_BYTES else ""
    try:
        if not rest:
            return Syntax(visible(msgspec.json.format(value).decode(), keep="\n"), "json", word_wrap=True)
    except UNDECODABLE:
        """It is no JSON, which may be what is wrong with it."""
    text = beginning.decode(errors="replace")
    return (text if text.replace("\n", "").isprintable() else repr(beginning)) + rest


def _bars(seconds: Counter[int], first: int, last: int) -> str:
    """How many there were in each part of the time from first to last."""
    width = max(1, last - first + 1)
    parts = [0] * SPANS
    for second, count in seconds.items():
        parts[(second - first) * SPANS // width] += count
    highest = max(parts)
    return "".join(BARS[-(-count * (len(BARS) - 1) // highest)] if count else " " for count in parts)
