"""The store's commands where the packages of the offline store are not installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from store.cli import main


def test_a_command_that_needs_polars_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    file = tmp_path / "x.parquet"
    file.touch()
    monkeypatch.setattr(sys, "argv", ["store", "backfill", "--in", str(file), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert capsys.readouterr().err == "error: polars is not installed here. Run: make venv-data\n"


def test_the_others_do_without_it() -> None:
    code = "import sys, store.cli; sys.exit('polars' in sys.modules or 'duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
