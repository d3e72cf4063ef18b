"""The loop, measured: `make bench-loop`, or `python -m benchmarks.loop [QUESTION…]`.

Starts a Kafka and a Redis of its own and answers, one after the other: how fast, where the time goes, what a hot card
costs, how fresh features are, how large an entity is in Redis, how soon a killed worker is back, and how much memory
many entities take.
"""

import sys
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.lab.contest import BATCH, QUIX_PYTHON, Contender, Outcome, contest, ratio
from benchmarks.lab.latency import freshness, recovery
from benchmarks.lab.load import Load, seed
from benchmarks.lab.memory import bytes_per_entity, worker_memory
from benchmarks.lab.report import Finding, write_report
from benchmarks.lab.services import Services, services
from twinstream.logging import configure_logging

console = Console(width=120, highlight=False)
app = typer.Typer(add_completion=False)

TWINSTREAM = "Twinstream"


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
    report: Annotated[Path | None, typer.Option(help="Write the findings to this Markdown file, too.")] = None,
) -> None:
    """Measure the loop."""
    configure_logging("WARNING")
    asked = [question for question in Question if not questions or question in questions]
    total = warm + events
    loads = {
        Question.RATE: [Load("even", total)],
        Question.HOT: [
            Load("even", total),
            Load("hot", total, hot_share=0.1),
            Load("disorderly", total, hot_share=0.1, disorder_ms=1_000),
        ],
    }
    findings: list[Finding] = []
    with services() as local:
        ask: dict[Question, Callable[[], list[Finding]]] = {
            Question.RATE: lambda: rates(local, warm, total, rounds),
            Question.HOT: lambda: [hot_card(local, warm, total, rounds)],
            Question.FRESHNESS: lambda: [freshness(local, 2_000, seconds)],
            Question.BYTES: lambda: [bytes_per_entity(local)],
            Question.RECOVERY: lambda: [recovery(local, crashes)],
            Question.MEMORY: lambda: [worker_memory(local, entities)],
        }
        for load in {load.name: load for question in asked for load in loads.get(question, [])}.values():
            local.create_source(load.name)
            seed(local.kafka.servers, load.name, load, int(time.time() * 1000))
        for question in asked:
            with console.status(f"Measuring: {question} ..."):
                answer = ask[question]()
            for finding in answer:
                console.print(finding.table(), "")
            findings += answer
            if report is not None:  # now, so that a question that fails later takes nothing away
                write_report(report, f"make bench-loop ARGS='{' '.join(sys.argv[1:])}'", findings)


def rates(local: Services, warm: int, total: int, rounds: int) -> list[Finding]:
    """Events per second end to end, against the others; and where Twinstream's time goes."""
    contenders = [
        Contender(TWINSTREAM, "whole_loop", "even"),
        Contender("(a) by hand, kafka-python", "minimal", "even"),
        Contender("(a2) by hand, our clients", "minimal_our_client", "even"),
    ]
    if QUIX_PYTHON.exists():
        quix = str(QUIX_PYTHON)
        contenders.append(Contender(f"(b) Quix, commit every {BATCH}", "quix", "even", python=quix))
        contenders.append(Contender("(b) Quix, commit every second", "quix", "even", batch=0, python=quix))
    outcomes = contest(local, contenders, warm, total, rounds)
    ours = outcomes[TWINSTREAM]
    rows = [
        [
            name,
            f"{median(outcome.rate for outcome in theirs):,.0f}",
            f"{median(outcome.cpu_us_per_event for outcome in theirs):.1f}",
            f"{ratio([outcome.rate for outcome in ours], [outcome.rate for outcome in theirs]):.2f}",
        ]
        for name, theirs in outcomes.items()
    ]
    rate = Finding(
        "Rate, end to end",
        ("contender", "events/s", "CPU µs per event", "Twinstream's rate / its rate"),
        rows,
        f"Medians of {rounds} rounds. Twinstream computes every feature; the others count and sum only. "
        "Goals: 0.60 of (a) at least, more than (b).",
    )
    return [rate, stages(ours)]


def stages(outcomes: list[Outcome]) -> Finding:
    """Where the time of the loop goes."""
    rows = []
    for stage in outcomes[0].more["elapsed"]:
        elapsed, cpu = (
            median(outcome.more[kind][stage] / outcome.events * 1e6 for outcome in outcomes)
            for kind in ("elapsed", "cpu")
        )
        rows.append([stage, f"{elapsed:.1f}", f"{cpu:.1f}"])
    own = [sum(outcome.more["cpu"].values()) for outcome in outcomes]
    rest = [(outcome.cpu_seconds - cpu) / outcome.events * 1e6 for outcome, cpu in zip(outcomes, own, strict=True)]
    rows.append(["the clients' threads", "", f"{median(rest):.1f}"])
    return Finding("Where Twinstream's time goes", ("stage", "elapsed µs per event", "CPU µs per event"), rows)


def hot_card(local: Services, warm: int, total: int, rounds: int) -> Finding:
    """What events cost when a tenth of them belong to one card with 10 000 events in its window."""
    contenders = [
        Contender("even", "whole_loop", "even"),
        Contender("a hot card", "whole_loop", "hot"),
        Contender("a hot card, up to 1 s out of order", "whole_loop", "disorderly"),
    ]
    outcomes = contest(local, contenders, warm, total, rounds)
    even = outcomes["even"]
    rows = [
        [
            name,
            f"{median(run.us_per_event for run in runs):.1f}",
            f"{median(run.cpu_us_per_event for run in runs):.1f}",
            f"{ratio([run.us_per_event for run in runs], [run.us_per_event for run in even]):.2f}",
            f"{ratio([run.cpu_us_per_event for run in runs], [run.cpu_us_per_event for run in even]):.2f}",
        ]
        for name, runs in outcomes.items()
    ]
    return Finding(
        "A hot card",
        ("load", "elapsed µs per event", "CPU µs per event", "elapsed / even", "CPU / even"),
        rows,
        f"Medians of {rounds} rounds; the hot card gets a tenth of the events and has 10 000 in its window. "
        "Goal: 1.50 at most.",
    )


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.loop")
