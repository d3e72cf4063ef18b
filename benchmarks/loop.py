"""The loop, measured: `make bench-loop`, or `python -m benchmarks.loop [QUESTION…]`.

Starts a Kafka and a Redis of its own and answers, one after the other: how fast, where the time goes, what a hot card
costs, how fresh features are, how large an entity is in Redis, how soon a killed worker is back, and how much memory
many entities take.
"""

import time
from enum import StrEnum
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.lab.contest import QUIX_PYTHON, Contender, Outcome, contest, ratio
from benchmarks.lab.latency import freshness, recovery
from benchmarks.lab.load import Load, seed
from benchmarks.lab.memory import bytes_per_entity, worker_memory
from benchmarks.lab.services import Services, services
from runtime.log import configure_logging

console = Console(width=120, highlight=False)
app = typer.Typer(add_completion=False)

TWINSTREAM = "Twinstream"
BY_HAND = "(a) by hand, kafka-python"


class Question(StrEnum):
    """What can be asked."""

    RATE = "rate"
    HOT = "hot"
    FRESHNESS = "freshness"
    BYTES = "bytes"
    RECOVERY = "recovery"
    MEMORY = "memory"


@app.command()
def main(
    questions: Annotated[list[Question] | None, typer.Argument(help="What to measure; by default everything.")] = None,
    events: Annotated[int, typer.Option(help="Events in a measured stretch.")] = 100_000,
    warm: Annotated[int, typer.Option(help="Events before it; 100 000 fill the hot card's window.")] = 100_000,
    rounds: Annotated[int, typer.Option(help="Rounds, each with every contender once.")] = 5,
    seconds: Annotated[float, typer.Option(help="How long freshness is looked at.")] = 30,
    crashes: Annotated[int, typer.Option(help="How often a worker is killed.")] = 5,
    entities: Annotated[int, typer.Option(help="Entities for the worker's memory; a million takes minutes.")] = 200_000,
) -> None:
    """Measure the loop."""
    configure_logging("WARNING")
    asked = set(questions or Question)
    loads = [Load("even", warm + events)]
    if Question.HOT in asked:
        loads.append(Load("hot", warm + events, hot_share=0.1))
        loads.append(Load("disorderly", warm + events, hot_share=0.1, disorder_ms=1_000))
    with services() as local:
        if asked & {Question.RATE, Question.HOT}:
            for load in loads:
                local.create_source(load.name)
                seed(local.kafka.servers, load.name, load, int(time.time() * 1000))
        if Question.RATE in asked:
            rates(local, warm, warm + events, rounds)
        if Question.HOT in asked:
            hot(local, warm, warm + events, rounds)
        if Question.FRESHNESS in asked:
            console.print(freshness(local, 2_000, seconds))
        if Question.BYTES in asked:
            console.print(bytes_per_entity(local))
        if Question.RECOVERY in asked:
            console.print(recovery(local, crashes))
        if Question.MEMORY in asked:
            console.print(worker_memory(local, entities))


def rates(local: Services, warm: int, total: int, rounds: int) -> None:
    """Events per second end to end, against the others; and where Twinstream's time goes."""
    contenders = [
        Contender(TWINSTREAM, "twinstream", "even"),
        Contender(BY_HAND, "minimal", "even"),
        Contender("(a2) by hand, our clients", "minimal_our_client", "even"),
    ]
    if QUIX_PYTHON.exists():
        quix = str(QUIX_PYTHON)
        contenders.append(Contender("(b) Quix, commit every 1000", "quix", "even", python=quix))
        contenders.append(Contender("(b) Quix, commit every second", "quix", "even", batch=0, python=quix))
    outcomes = contest(local, contenders, warm, total, rounds)
    ours = outcomes[TWINSTREAM]
    table = Table("contender", "events/s", "CPU µs per event", "Twinstream's rate / its rate", title="Rate, end to end")
    for name, theirs in outcomes.items():
        table.add_row(
            name,
            f"{median(outcome.rate for outcome in theirs):,.0f}",
            f"{median(outcome.cpu_us_per_event for outcome in theirs):.1f}",
            f"{ratio([outcome.rate for outcome in ours], [outcome.rate for outcome in theirs]):.2f}",
        )
    console.print(table)
    console.print(stages(ours))


def stages(outcomes: list[Outcome]) -> Table:
    """Where the time of the loop goes."""
    table = Table("stage", "elapsed µs per event", "CPU µs per event", title="Twinstream's stages, medians")
    for stage in outcomes[0].more["elapsed"]:
        cells = [
            median(outcome.more[kind][stage] / outcome.events * 1e6 for outcome in outcomes)
            for kind in ("elapsed", "cpu")
        ]
        table.add_row(stage, *(f"{cell:.1f}" for cell in cells))
    own = [sum(outcome.more["cpu"].values()) for outcome in outcomes]
    rest = median(
        (outcome.cpu_seconds - cpu) / outcome.events * 1e6 for outcome, cpu in zip(outcomes, own, strict=True)
    )
    table.add_row("the clients' threads", "", f"{rest:.1f}")
    return table


def hot(local: Services, warm: int, total: int, rounds: int) -> None:
    """What events cost when a tenth of them belong to one card with 10 000 events in its window."""
    contenders = [Contender(name, "twinstream", name) for name in ("even", "hot", "disorderly")]
    outcomes = contest(local, contenders, warm, total, rounds)
    table = Table(
        "load", "elapsed µs per event", "CPU µs per event", "elapsed / even", "CPU / even", title="A hot card"
    )
    for name, runs in outcomes.items():
        table.add_row(
            name,
            f"{median(run.us_per_event for run in runs):.1f}",
            f"{median(run.cpu_us_per_event for run in runs):.1f}",
            f"{ratio([run.us_per_event for run in runs], [run.us_per_event for run in outcomes['even']]):.2f}",
            f"{ratio([run.cpu_us_per_event for run in runs], [run.cpu_us_per_event for run in outcomes['even']]):.2f}",
        )
    console.print(table)


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.loop")
