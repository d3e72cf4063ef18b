"""Producers, measured: a million rows of Parquet, and records per second into Kafka, beside what is possible.

    python -m benchmarks.producers files          # speed, memory, size; naive Faker rows and raw columns beside
    python -m benchmarks.producers kafka          # the profile's records against bytes that are encoded already

Each run is a process of its own; contenders take turns and are compared by the medians of their ratios.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.local.kafka import LocalKafka
from deploy.local.paths import ROOT
from twinstream.local.ports import free_port

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(highlight=False)

AS_OF = "2026-11-21"
FAKER_ROWS = 20_000
LARGEST_MB, LONGEST_S, PEAK_MB, PROFILE_MB = 60, 5.0, 500, 5.0

Runs = Annotated[int, typer.Option(min=1, help="Runs of each contender.")]


@app.command()
def files(rows: int = 1_000_000, runs: Runs = 3) -> None:
    """A file of `rows` payments: ours, Faker row by row, and columns drawn without any meaning as the limit."""
    with tempfile.TemporaryDirectory() as folder:
        results: dict[str, list[dict[str, Any]]] = {"ours": [], "raw columns": [], "Faker": []}
        for _ in range(runs):
            results["ours"].append(_run("dataset", rows, folder))
            results["raw columns"].append(_run("columns", rows, folder))
            results["Faker"].append(_run("faker", FAKER_ROWS, folder))
        table = Table(box=None, padding=(0, 2, 0, 0))
        for heading in ("", "rows", "seconds", "rows/s", "CPU s", "peak RSS MB", "file MB"):
            table.add_column(heading, justify="left" if not heading else "right")
        for name, found in results.items():
            table.add_row(name, f"{found[0]['rows']:,}", *(_median(found, key) for key in
                          ("seconds", "rate", "cpu", "rss_mb", "file_mb")))  # fmt: skip
        console.print(table)
        share = median(
            ours["rate"] / limit["rate"] for ours, limit in zip(results["ours"], results["raw columns"], strict=True)
        )
        faster = median(a["rate"] / b["rate"] for a, b in zip(results["ours"], results["Faker"], strict=True))
        by_cpu = median(b["cpu"] / a["cpu"] for a, b in zip(results["ours"], results["raw columns"], strict=True))
        console.print(f"{share:.0%} of the raw columns' rate (goal 50 %), {by_cpu:.0%} by CPU time")
        console.print(f"{faster:.0f} times Faker row by row")
        _gates(results["ours"])
        _profile_and_validate(Path(results["ours"][0]["path"]))


@app.command()
def kafka(records: int = 200_000, runs: Runs = 5) -> None:
    """Transactions generated, encoded and sent, against the same client sending bytes that are ready."""
    with tempfile.TemporaryDirectory() as folder:
        broker = LocalKafka(Path(folder) / "kafka", free_port())
        broker.start()
        try:
            ours, ready = [], []
            for _ in range(runs):
                ready.append(_run("ready", records, broker.servers))
                ours.append(_run("stream", records, broker.servers))
        finally:
            broker.stop()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "records/s", "CPU µs/record"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, found in (("bytes that are ready", ready), ("transactions profile", ours)):
        table.add_row(name, _median(found, "rate"), _median(found, "cpu_us"))
    console.print(table)
    by_time = median(mine["rate"] / limit["rate"] for mine, limit in zip(ours, ready, strict=True))
    by_cpu = median(limit["cpu_us"] / mine["cpu_us"] for mine, limit in zip(ours, ready, strict=True))
    console.print(f"{by_time:.0%} of the client's own rate (goal 60 %); {by_cpu:.0%} by CPU time")


def _median(found: list[dict[str, Any]], key: str) -> str:
    value = median(each[key] for each in found)
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def _gates(found: list[dict[str, Any]]) -> None:
    for key, limit in (("seconds", LONGEST_S), ("rss_mb", PEAK_MB), ("file_mb", LARGEST_MB)):
        figure = median(each[key] for each in found)
        console.print(f"{'ok' if figure <= limit else 'FAILED':6}  {key} {figure:.2f}, at most {limit}")


def _profile_and_validate(path: Path) -> None:
    for command in ("validate", "profile"):
        started = time.monotonic()
        outcome = subprocess.run(
            [sys.executable, "-m", "producers", command, str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        last = outcome.stdout.strip().splitlines()[-1].replace(f"{path.parent}/", "")
        console.print(f"{command}: {last} ({time.monotonic() - started:.1f} s with start-up)")
    size = path.with_suffix(".html").stat().st_size / 1e6
    console.print(f"{'ok' if size <= PROFILE_MB else 'FAILED':6}  profile_mb {size:.2f}, at most {PROFILE_MB}")


def _run(contender: str, count: int, where: str) -> dict[str, Any]:
    """One contender in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.producers", "contender", contender, str(count), where]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ)
    answer: dict[str, Any] = json.loads(outcome.stdout.splitlines()[-1])
    return answer


@app.command(hidden=True)
def contender(name: str, count: int, where: str) -> None:
    """Run one contender and print its figures: the parent reads them."""
    started, cpu = time.perf_counter(), time.process_time()
    if name in _FILES:
        path = _FILES[name](count, Path(where))
        more = {"path": str(path), "file_mb": path.stat().st_size / 1e6}
    else:
        work = _KAFKA[name](count, where)  # connects and prepares; the clock starts after it
        started, cpu = time.perf_counter(), time.process_time()
        work()
        more = {}
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    figures = {
        "rows": count,
        "seconds": seconds,
        "rate": count / seconds,
        "cpu": cpu_seconds,
        "cpu_us": cpu_seconds / count * 1e6,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures | more))


def _dataset(rows: int, folder: Path) -> Path:
    from producers.parquet import generate_dataset

    return generate_dataset(rows, folder, as_of=AS_OF)


def _columns(rows: int, folder: Path) -> Path:
    """The same 24 columns and types, each drawn alone: no cardholders, no order, no fraud, no nulls."""
    import numpy as np
    import polars as pl

    rng = np.random.Generator(np.random.PCG64(1))

    def text(name: str, size: int, width: int) -> pl.Series:
        pool = pl.Series(name, [f"{name}_{number:0{width}d}" for number in range(size)], pl.Categorical)
        return pool.gather(rng.integers(0, size, rows, dtype=np.uint32))

    pools = {
        "card_id": 40_000, "card_brand": 4, "card_last4": 10_000, "account_id": 40_000, "user_id": 40_000,
        "merchant_id": 300, "merchant_name": 300, "channel": 3, "payment_method": 4, "country": 13, "city": 25,
        "currency": 11, "device_id": 40_000, "ip_address": 20_000, "auth_result": 2,
    }  # fmt: skip
    frame = pl.DataFrame(
        [
            ("pay_" + pl.int_range(rows, eager=True).cast(pl.String).str.zfill(18)).alias("transaction_id"),
            pl.Series("event_time", np.sort(rng.integers(0, 30 * 86_400_000, rows))).cast(pl.Datetime("ms", "UTC")),
            pl.Series("account_age_days", rng.integers(1, 10_000, rows, dtype=np.int32)),
            pl.Series("amount", rng.integers(1, 50_000, rows) / 100),
            pl.Series("mcc_code", rng.integers(4_000, 4_021, rows, dtype=np.int32)),
            pl.Series("card_present", rng.random(rows) < 0.5),
            pl.Series("latitude", np.round(rng.uniform(-60, 60, rows), 6)),
            pl.Series("longitude", np.round(rng.uniform(-120, 120, rows), 6)),
            pl.Series("label_fraud", rng.random(rows) < 0.003),
            *(text(name, size, 8) for name, size in pools.items()),
        ]
    )
    path = folder / f"columns-{os.getpid()}.parquet"
    frame.write_parquet(path, compression="snappy", row_group_size=2_000_000)
    return path


def _faker(rows: int, folder: Path) -> Path:
    """What one writes first: a dictionary per row out of Faker."""
    import polars as pl
    from faker import Faker

    fake = Faker()
    Faker.seed(1)
    made = [
        {
            "transaction_id": fake.uuid4(),
            "event_time": fake.date_time_this_month(),
            "card_id": fake.uuid4(),
            "card_brand": fake.random_element(("visa", "mastercard")),
            "card_last4": fake.numerify("####"),
            "account_id": fake.numerify("ACC-########"),
            "user_id": fake.numerify("user_#########"),
            "account_age_days": fake.random_int(1, 5_000),
            "amount": fake.pyfloat(right_digits=2, min_value=1, max_value=1_000),
            "currency": fake.currency_code(),
            "merchant_id": fake.numerify("mer_#####"),
            "merchant_name": fake.company(),
            "mcc_code": fake.random_int(4_000, 9_000),
            "channel": fake.random_element(("pos", "ecommerce", "atm")),
            "card_present": fake.pybool(),
            "payment_method": fake.random_element(("credit_card", "debit_card")),
            "country": fake.country_code(),
            "city": fake.city(),
            "latitude": float(fake.latitude()),
            "longitude": float(fake.longitude()),
            "device_id": fake.uuid4(),
            "ip_address": fake.ipv4_public(),
            "auth_result": fake.random_element(("approved", "declined")),
            "label_fraud": fake.pybool(),
        }
        for _ in range(rows)
    ]
    path = folder / f"faker-{os.getpid()}.parquet"
    pl.DataFrame(made).write_parquet(path, compression="snappy")
    return path


def _ready(count: int, servers: str) -> Callable[[], None]:
    """kafka-python alone: keys and values are bytes before the clock starts."""
    from producers.profiles import make_profile
    from producers.records import encode
    from producers.sinks.kafka import ensure_topic, open_producer

    ensure_topic(servers, "bench")
    profile = make_profile("transactions", 1)
    now_ms = time.time_ns() // 1_000_000
    records = (profile.record(now_ms + number) for number in range(count))
    messages = [(record["card_id"].encode(), encode(record)) for record in records]
    producer = open_producer(servers)

    def work() -> None:
        for key, value in messages:
            producer.send("bench", value=value, key=key)
        producer.flush()

    return work


def _stream(count: int, servers: str) -> Callable[[], None]:
    """The same kind of records made, encoded, sent and counted as `stream transactions` does."""
    from producers.commands.stream import stream
    from producers.profiles import make_profile
    from producers.sinks.kafka import KafkaSink, ensure_topic, open_producer

    ensure_topic(servers, "bench")
    profile = make_profile("transactions", 2)
    sink = KafkaSink(open_producer(servers), "bench")
    return lambda: _check(stream(profile, sink, count=count) == count and sink.delivery.failed == 0)


def _check(delivered: bool) -> None:
    if not delivered:
        raise SystemExit("Not every record was delivered.")


_FILES: dict[str, Callable[[int, Path], Path]] = {"dataset": _dataset, "columns": _columns, "faker": _faker}
_KAFKA: dict[str, Callable[[int, str], Callable[[], None]]] = {"ready": _ready, "stream": _stream}


if __name__ == "__main__":
    app()
