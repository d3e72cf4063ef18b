"""The backfill, measured: `make bench-backfill`, or `python -m benchmarks.backfill [--rows 1000000]`.

A file of payments becomes a dataset of transaction vectors, four ways, in turn, each in a process of its own:

- ours, on all cores and on one;
- a plain Python loop over the same functions: decode a row, insert it, keep the vector, write Parquet in parts;
- Polars `rolling` with count and sum only: the limit of what is vectorised, a dozen features short.

Then Polars and DuckDB recompute counts, sums, means, largest values and distinct counts of what ours has written.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from features import transaction_features
from producers.parquet import generate_dataset
from tests.oracle.vectors import by_duckdb, by_polars, differences, payments_in_order
from twinstream.offline.dataset import Dataset

console = Console(width=110, highlight=False)
app = typer.Typer(add_completion=False)
GROUP = transaction_features
WINDOW_MS = 300_000


@app.command()
def main(
    rows: Annotated[int, typer.Option(help="Payments.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(help="How often everything is run; medians are shown.")] = 3,
    check: Annotated[bool, typer.Option(help="Recompute with Polars and DuckDB.")] = True,
) -> None:
    """Measure the backfill."""
    cores = os.cpu_count() or 1
    contenders = {
        f"backfill, {cores} cores": ["ours", str(cores)],
        "backfill, 1 core": ["ours", "1"],
        "plain Python loop": ["plain"],
        "Polars rolling, count and sum only": ["polars"],
    }
    with tempfile.TemporaryDirectory() as folder:
        source = Path(generate_dataset(rows, Path(folder)))
        outcomes: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
        for number in range(rounds):
            for name, arguments in contenders.items():
                out = Path(folder, f"{number}-{arguments[0]}-{arguments[-1]}")
                outcomes[name].append(_measured([*arguments, str(source), str(out)]))
        _show(rows, outcomes)
        if check:
            _check(source, Path(folder, f"0-ours-{cores}"))


def _show(rows: int, outcomes: dict[str, list[tuple[float, float]]]) -> None:
    plain = median(seconds for seconds, _ in outcomes["plain Python loop"])
    table = Table("", "s", "events/s", "× the plain loop", "peak MB, all processes", title=f"{rows:,} payments")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, runs in outcomes.items():
        seconds = median(each[0] for each in runs)
        peak = max(each[1] for each in runs)
        table.add_row(name, f"{seconds:.1f}", f"{rows / seconds:,.0f}", f"{plain / seconds:.2f}", f"{peak:,.0f}")
    console.print(table)


def _measured(arguments: list[str]) -> tuple[float, float]:
    """Seconds that a contender takes, start-up and all, and the most memory (MB) that its processes have together."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.contenders.backfill", *arguments])
    peak = 0.0
    ended = threading.Event()

    def look() -> None:
        nonlocal peak
        while not ended.wait(0.1):
            peak = max(peak, _memory(process.pid))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    code = process.wait()
    ended.set()
    watcher.join()
    if code:
        raise SystemExit(code)
    return time.monotonic() - began, peak / 1e6


def _memory(pid: int) -> float:
    """Bytes of a process and its children; what they share is counted once, as far as the system tells."""
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.Error:
        """It has just ended."""
    return float(total)


def _check(source: Path, out: Path) -> None:
    """Recompute what is in a dataset, and say how many vectors are apart."""
    vectors = Dataset(out, GROUP).scan().collect()
    rows = payments_in_order(source)
    table = Table("recomputed by", "vectors", "features", "apart", title="Checked")
    for name, oracle in (("Polars rolling", by_polars), ("DuckDB RANGE BETWEEN", by_duckdb)):
        compared, apart = differences(vectors, oracle(rows, WINDOW_MS))
        table.add_row(name, f"{compared:,}", str(len(apart)), str(sum(apart.values())))
    console.print(table)


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.backfill")
