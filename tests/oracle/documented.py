"""The numbers that docs/features.md gives. The naive recomputation uses these: so the page is enough."""

import re
from pathlib import Path
from typing import NamedTuple

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "features.md").read_text(encoding="utf-8")
_TEXT = " ".join(PAGE.split())


class Rule(NamedTuple):
    """A row of the table of risk rules."""

    weight: int
    start: int
    full: int


def _numbers(pattern: str) -> list[str]:
    """What the groups of the pattern match in the page's text; it must be there exactly once."""
    (found,) = re.finditer(pattern, _TEXT)
    return [*found.groups()]


def _rows(header: str) -> list[list[str]]:
    """The cells of the table with that header."""
    lines = PAGE.partition(header)[2].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: lines.index("")]]


EARTH_RADIUS_M = float(_numbers(r"on a sphere of radius ([0-9.]+) m,")[0])
SHORTEST_TIME_MS = int(_numbers(r"metres × 3600000 / max\((\d+), ms between them\)")[0])
JUMP_M = int(_numbers(r"A jump is .{,60} of (\d+) m or more")[0])
MICRODEGREES = int(_numbers(r"degrees × (\d+) in double precision")[0])
FULL, HALF = map(int, _numbers(r"from \*full\* on its severity is (\d+); between them it is (\d+) \+"))
UNUSUAL_HOURS = [*map(int, _numbers(r"Unusual are the hours (\d+) to (\d+):"))]
RULES = {name: Rule(*map(int, cells[:3])) for name, *cells in _rows("| rule | weight (of 1000) |")}
DIGITS = {
    currency: int(digits)
    for digits, currencies in _rows("| digits | currencies |")
    for currency in currencies.split()
    if currency.isupper()
}
OTHER_DIGITS = int(_numbers(r"\| (\d) \| every other \|")[0])
POINTS = [
    *map(
        int,
        _numbers(
            r"Points over (\d+): (\d+) per action up to (\d+), (\d+) per different page up to (\d+), (\d+) per"
            r" different product up to (\d+), 1 per whole (\d+) ms of dwell up to (\d+) ms, (\d+) for any"
            r" add_to_cart, (\d+) for any purchase"
        ),
    )
]


def minor_per_major(currency: str) -> int:
    """Minor units in a major unit."""
    return int(10 ** DIGITS.get(currency, OTHER_DIGITS))
