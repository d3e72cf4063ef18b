"""Every file that docs/architecture.md names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
NAMED = sorted(set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*/?(?:\w+\.py)?)`", PAGE)))


@pytest.mark.parametrize("name", [name for name in NAMED if "/" in name or name.endswith(".py")])
def test_what_the_page_names_exists(name: str) -> None:
    assert (ROOT / name).exists() or (ROOT / "twinstream" / name).exists()
