"""`parquet`, `validate`, `profile` and `upload`: files of card payments."""

import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from producers.console import progress_bar, table_console, write_json
from producers.datasets import newest_dataset
from twinstream.errors import UserError
from twinstream.terminal import Terminal, plain

DEFAULT_ROWS = 1_000_000


def generate(rows: int, out: Path, *, seed: int = 42, as_of: str | None = None, json_target: str | None = None) -> Path:
    """Write a file and tell rows, seconds, rows/s, size and peak memory."""
    from producers.parquet import generate_dataset

    started = time.monotonic()
    with progress_bar("Parquet", rows) as advance:

        def on_rows(done: int) -> None:
            advance(done, done / max(1e-9, time.monotonic() - started))

        path = generate_dataset(rows, out, seed=seed, as_of=as_of, on_rows=on_rows)
    seconds = time.monotonic() - started
    figures = {
        "path": str(path),
        "rows": rows,
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows / seconds),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "file_mb": round(path.stat().st_size / 1e6, 2),
    }
    if json_target is not None:
        write_json(json_target, figures)
    table_console(json_target).tell(
        f"{path}: {rows:,} rows in {seconds:.2f} s ({rows / seconds:,.0f} rows/s), "
        f"{figures['file_mb']} MB, peak RSS {figures['peak_rss_mb']} MB",
    )
    return path


def validate(paths: list[Path], json_target: str | None = None) -> bool:
    """Show every check of every file; return whether all passed."""
    from producers.validate import validate_file

    all_checks: dict[str, list[dict[str, Any]]] = {}
    passed = True
    console = table_console(json_target)
    for path in paths:
        checks = validate_file(path)
        passed = passed and all(check.passed for check in checks)
        all_checks[str(path)] = [check._asdict() for check in checks]
        table = Table(box=None, padding=(0, 2, 0, 0), title=plain(path), title_justify="left")
        for heading in ("check", "expected", "found", ""):
            table.add_column(heading)
        for check in checks:
            verdict = plain("ok", "green") if check.passed else plain("FAILED", "bold red")
            table.add_row(plain(check.subject), plain(check.expected), plain(check.found), verdict)
        console.print(table)
        failures = sum(not check.passed for check in checks)
        console.print(f"{len(checks)} checks, {failures} failed")
    if json_target is not None:
        write_json(json_target, all_checks)
    return passed


def profile(paths: list[Path], out: Path, *, rows: int = DEFAULT_ROWS) -> list[Path]:
    """Write an HTML profile beside each file; without files, of today's (made first if there is none)."""
    from producers.profiling import write_profile

    if not paths:
        today = datetime.now(UTC)
        paths = [newest_dataset(out, rows, today) or generate(rows, out)]
    console = Terminal()
    written = []
    for path in paths:
        started = time.monotonic()
        Terminal(stderr=True).tell(plain(f"Profiling a sample of {path}; this takes up to half a minute ..."))
        html = write_profile(path)
        written.append(html)
        size = html.stat().st_size / 1e6
        console.say(f"{html}: {size:.2f} MB in {time.monotonic() - started:.1f} s")
    return written


def upload(paths: list[Path], *, endpoint_url: str, use_aws: bool) -> list[str]:
    """Upload files and print where each one went."""
    from producers.aws import aws_client
    from producers.upload import read_destination, upload_files

    if not paths:
        raise UserError("No file was given. Name the files, for example outputs/payments_1M_2026-11-21.parquet.")
    client = aws_client("s3", endpoint_url=endpoint_url, use_aws=use_aws)
    addresses = upload_files(client, paths, read_destination(), create_bucket=not use_aws)
    for address in addresses:
        Terminal().say(plain(f"Upload complete to {address}"))
    return addresses
