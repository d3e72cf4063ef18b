"""The store's commands where the packages of the offline store are not installed."""

import subprocess
import sys
from pathlib import Path


def test_a_command_that_needs_polars_says_how_to_get_it(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    file.touch()
    without_it = "import sys; sys.modules['polars'] = None; from twinstream.cli import main; main()"
    command = [sys.executable, "-c", without_it, "backfill", "--in", str(file), "--out", str(tmp_path / "out")]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 2
    assert outcome.stderr == "error: polars is not installed here. Run: make venv-data\n"


def test_the_others_do_without_it() -> None:
    code = "import sys, twinstream.cli; sys.exit('polars' in sys.modules or 'duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
