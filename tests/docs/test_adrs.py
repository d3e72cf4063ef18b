"""The decisions: numbered without gaps, each with its status, and none of them names a file that is not there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ADRS = sorted((ROOT / "docs" / "adr").glob("*.md"))
OURS = ("benchmarks", "deploy", "features", "flink", "producers", "store", "tests", "twinstream")
FILES = {path.relative_to(ROOT).as_posix() for room in OURS for path in (ROOT / room).rglob("*.py")}
AN_EXAMPLE_OF_A_USERS = "shop/logins.py"


def test_they_are_numbered_without_gaps() -> None:
    assert [int(path.name[:4]) for path in ADRS] == list(range(1, len(ADRS) + 1))


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_each_has_its_number_and_its_status(path: Path) -> None:
    title, _, status, *_ = path.read_text().splitlines()
    assert title.startswith(f"# {int(path.name[:4])}. ")
    assert status.startswith("**Status:** ")


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_the_files_and_decisions_that_it_names_are_there(path: Path) -> None:
    text = path.read_text()
    named = set(re.findall(r"[\w./]+\.py\b", text)) - {AN_EXAMPLE_OF_A_USERS}
    assert [name for name in named if not any(f"/{file}".endswith(f"/{name}") for file in FILES)] == []
    assert [number for number in re.findall(r"ADR (\d+)", text) if int(number) > len(ADRS)] == []
