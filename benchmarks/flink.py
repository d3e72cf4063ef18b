"""The PyFlink job, measured: `make bench-flink`, or `python -m benchmarks.flink [QUESTION…]`.

Starts a Kafka, a Redis and a Flink cluster of its own. Rates are of a backlog: from the moment `warm` events are in
Redis to the moment all are, with processor time of all Flink processes and of each stage in between.
"""

import shutil
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated

import msgspec
import psutil
import redis
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.contenders.flink_plan import DONE, STAGES, Plan
from benchmarks.lab.contest import ratio
from benchmarks.lab.latency import BEHIND_MS, CATCH_UP_S, WARM_UP_S
from benchmarks.lab.load import Load, seed
from benchmarks.lab.services import Services, services
from benchmarks.lab.worker import Feed
from deploy.local import free_port
from deploy.local.paths import ROOT
from twinstream.job.cluster import FlinkCluster
from twinstream.job.rest import FlinkRest
from twinstream.job.submitting import submitted
from twinstream.settings import Settings

console = Console(width=120, highlight=False)
app = typer.Typer(add_completion=False)

SCRIPT = ROOT / "benchmarks" / "contenders" / "flink_jobs.py"
CHECKPOINT_INTERVAL_MS = 5_000
"""Shorter than the default, so that every measured stretch has some."""

LOOK_EVERY_S = 5.0
"""How often it is looked whether a job has failed."""

UNFLUSHED = 2_000
"""The measured stretch ends so many events before the last, which the job by record may keep in memory."""

TWINSTREAM, BY_RECORD, BY_BATCH = "twinstream", "record", "batch"
SHAPES = {
    TWINSTREAM: "Twinstream, all features",
    BY_RECORD: "minimal, one record per element",
    BY_BATCH: "minimal, micro-batches",
}


class Question(StrEnum):
    """What can be asked."""

    RATE = "rate"
    FRESHNESS = "freshness"


@dataclass(frozen=True, slots=True)
class Contender:
    """A job, and how it runs."""

    shape: str
    mode: str
    parallelism: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A measured stretch.

    Attributes:
        events, seconds: how many in how long.
        cpu_us: processor time of all Flink processes, in microseconds per event, by thread.
        stages_us: of the parts of the Python stage, where it was timed.
    """

    events: int
    seconds: float
    cpu_us: dict[str, float]
    stages_us: dict[str, float]

    @property
    def rate(self) -> float:
        """Events per second, end to end."""
        return self.events / self.seconds


@app.command()
def main(
    questions: Annotated[list[Question] | None, typer.Argument(help="What to measure; by default everything.")] = None,
    events: Annotated[int, typer.Option(help="Events in a measured stretch.")] = 200_000,
    warm: Annotated[int, typer.Option(help="Events before it.")] = 100_000,
    rounds: Annotated[int, typer.Option(help="Rounds, each with every contender once.")] = 3,
    seconds: Annotated[float, typer.Option(help="How long freshness is looked at.")] = 60,
    only: Annotated[str, typer.Option(help="Some contenders: thread or process and a parallelism.")] = "",
) -> None:
    """Measure the job."""
    asked = set(questions or Question)
    contenders = [
        Contender(shape, mode, parallelism)
        for mode in ("thread", "process")
        for parallelism in (1, 2)
        for shape in SHAPES
        if only in f"{mode} {parallelism}"
    ]
    with services() as local, cluster(local.directory) as flink:
        if Question.RATE in asked:
            local.create_source("transactions")
            seed(local.kafka.servers, "transactions", Load("even", warm + events), int(time.time() * 1000))
            rates(local, flink, contenders, warm, warm + events, rounds)
        if Question.FRESHNESS in asked:
            for contender in (each for each in contenders if each.shape == TWINSTREAM):
                for interval_ms in (CHECKPOINT_INTERVAL_MS, Settings().checkpoint_interval_ms):
                    fresh(local, flink, contender, seconds, interval_ms)


@dataclass(frozen=True, slots=True)
class Running:
    """A job under way: the name of its run, its number in Flink, and whom to ask about it."""

    run: str
    number: str
    rest: FlinkRest


@contextmanager
def cluster(directory: Path) -> Iterator[FlinkCluster]:
    """A TaskManager with two slots."""
    flink = FlinkCluster(directory / "flink", free_port(), slots=2, metrics_port=free_port())
    try:
        flink.start()
        shutil.copytree(ROOT / "benchmarks", directory / "shipped" / "benchmarks")
        yield flink
    finally:
        flink.stop()


@contextmanager
def running(
    local: Services, flink: FlinkCluster, contender: Contender, checkpoint_interval_ms: int = CHECKPOINT_INTERVAL_MS
) -> Iterator[Running]:
    """The job of a contender."""
    run = f"flink{uuid.uuid4().hex[:8]}"
    plan = Plan(
        shape=contender.shape,
        mode=contender.mode,
        parallelism=contender.parallelism,
        servers=local.kafka.servers,
        redis_port=local.redis.port,
        run=run,
        directory=str(local.directory / run),
        checkpoint_interval_ms=checkpoint_interval_ms,
    )
    arguments = [msgspec.json.encode(plan).decode()]
    shipped = [local.directory / "shipped"]
    job = submitted(flink.address, arguments, flink.directory, {"PYTHONPATH": str(ROOT)}, ["-py", str(SCRIPT)], shipped)
    rest = FlinkRest(flink.address)
    try:
        yield Running(run, job, rest)
    finally:
        if job in rest.running_jobs():
            rest.cancel(job)
        while job in rest.running_jobs():
            time.sleep(0.1)


def measured(local: Services, flink: FlinkCluster, contender: Contender, warm: int, total: int) -> Outcome:
    """One run of a contender over the backlog, from an empty Redis."""
    with local.redis.client() as client, running(local, flink, contender) as job:
        began, cpu_before = _when(client, warm, job), cpu_by_thread(flink)
        begun_with, stages_before = _done(client), _stages(client)
        ended, cpu_after = _when(client, total - UNFLUSHED, job), cpu_by_thread(flink)
        events = _done(client) - begun_with
        stages_after = _stages(client)
    local.clear([f"{job.run}.features.transaction", f"{job.run}.transactions.dlq"])
    cpu = {name: (spent - cpu_before.get(name, 0.0)) / events * 1e6 for name, spent in cpu_after.items()}
    stages = {name: (spent - stages_before.get(name, 0.0)) / events for name, spent in stages_after.items()}
    return Outcome(events, ended - began, cpu, stages)


def rates(
    local: Services, flink: FlinkCluster, contenders: list[Contender], warm: int, total: int, rounds: int
) -> None:
    """Events per second, against the minimal jobs in the same mode; and where the time goes."""
    outcomes: dict[Contender, list[Outcome]] = {contender: [] for contender in contenders}
    for number in range(rounds):
        for contender in contenders:
            outcome = measured(local, flink, contender, warm, total)
            outcomes[contender].append(outcome)
            what = f"{SHAPES[contender.shape]}, {contender.mode}, parallelism {contender.parallelism}"
            console.print(f"round {number + 1} of {rounds}: {what}: {outcome.rate:,.0f} events/s")
    table = Table("job", "mode", "parallelism", "events/s", "CPU µs per event", "Twinstream's rate / its rate")
    for contender, theirs in outcomes.items():
        ours = outcomes[Contender(TWINSTREAM, contender.mode, contender.parallelism)]
        table.add_row(
            SHAPES[contender.shape],
            contender.mode,
            str(contender.parallelism),
            f"{median(outcome.rate for outcome in theirs):,.0f}",
            f"{median(sum(outcome.cpu_us.values()) for outcome in theirs):.1f}",
            f"{ratio([outcome.rate for outcome in ours], [outcome.rate for outcome in theirs]):.2f}",
        )
    console.print(table)
    for contender, ours in outcomes.items():
        if contender.shape == TWINSTREAM:
            console.print(profile(contender, ours[-1]))


def profile(contender: Contender, outcome: Outcome) -> Table:
    """Where the time of a run went: by thread of Flink's processes, and inside the Python stage."""
    title = f"CPU µs per event, Twinstream, {contender.mode}, parallelism {contender.parallelism}"
    table = Table("where", "µs", title=title)
    for name, spent in sorted(outcome.cpu_us.items(), key=lambda item: -item[1]):
        if spent >= 0.2:
            table.add_row(name, f"{spent:.1f}")
    table.add_section()
    for name, spent in outcome.stages_us.items():
        table.add_row(f"Python: {name}", f"{spent:.1f}")
    return table


def fresh(
    local: Services, flink: FlinkCluster, contender: Contender, seconds: float, checkpoint_interval_ms: int
) -> None:
    """How old features are when they can be read, at 2 000 events/s: from `send` to readable in Redis."""
    with running(local, flink, contender, checkpoint_interval_ms):
        feed = Feed(local, 2_000)
        feed.first(time.monotonic())
        until = time.monotonic() + CATCH_UP_S
        while max((seen.age_ms for seen in feed.run(WARM_UP_S)), default=0.0) > BEHIND_MS and time.monotonic() < until:
            """It is still working off what came in while it started."""
        ages_ms = sorted(seen.age_ms for seen in feed.run(seconds))
        feed.close()
    how = (
        f"{contender.mode}, parallelism {contender.parallelism}, a checkpoint every {checkpoint_interval_ms / 1000:g} s"
    )
    title = f"Freshness at 2,000 events/s for {seconds:.0f} s, {how}"
    table = Table("probes", "p50 ms", "p90 ms", "p99 ms", "max ms", title=title)
    cuts = quantiles(ages_ms, n=100)
    table.add_row(f"{len(ages_ms)}", *(f"{age:.1f}" for age in (cuts[49], cuts[89], cuts[98], ages_ms[-1])))
    console.print(table)
    with local.redis.client() as client:
        client.flushall()


def cpu_by_thread(flink: FlinkCluster) -> dict[str, float]:
    """Processor seconds of the TaskManagers and their Python workers so far, by kind of thread."""
    spent: Counter[str] = Counter()
    for pid in flink.task_manager_pids:
        java = psutil.Process(pid)
        for process in (java, *java.children(recursive=True)):
            for thread in process.threads():
                name = "Python worker" if process.pid != pid else _thread_name(pid, thread.id)
                spent[name] += thread.user_time + thread.system_time
    return dict(spent)


def _thread_name(pid: int, thread: int) -> str:
    """The kind of a thread of the JVM; Linux keeps 15 letters of its name."""
    try:
        name = Path(f"/proc/{pid}/task/{thread}/comm").read_text().strip()
    except OSError:
        return "ended"
    kinds = {
        "Source: ": "source task",
        "WindowAgg": "window task",
        "features": "feature stage and sink task",
        "KEYED PROC": "feature stage and sink task",
        "kafka-prod": "Kafka producer",
        "Source Data": "Kafka consumer",
        "C1 ": "JIT compiler",
        "C2 ": "JIT compiler",
        "GC Thread": "garbage collection",
        "G1 ": "garbage collection",
        "rocksdb": "RocksDB",
    }
    return next((kind for start, kind in kinds.items() if name.startswith(start)), "other threads of the JVM")


def _done(client: redis.Redis) -> int:
    return int(client.get(DONE) or 0)


def _stages(client: redis.Redis) -> dict[str, float]:
    return {name.decode(): float(spent) for name, spent in client.hgetall(STAGES).items()}


def _when(client: redis.Redis, events: int, job: Running) -> float:
    """The moment when so many events were in Redis."""
    look_at = time.monotonic() + LOOK_EVERY_S
    while _done(client) < events:
        if time.monotonic() > look_at:
            if job.number not in job.rest.running_jobs():
                raise RuntimeError(f"the job has failed: {job.rest.root_exception(job.number)}")
            look_at = time.monotonic() + LOOK_EVERY_S
        time.sleep(0.01)
    return time.monotonic()


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.flink")
