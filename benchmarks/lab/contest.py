"""Contenders side by side: each a process of its own on the same topic, in turns, compared by medians of ratios."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.contenders.stopwatch import Job
from benchmarks.lab.services import Services
from deploy.local.paths import ROOT
from twinstream.settings import Settings

QUIX_PYTHON = ROOT / ".venv-bench" / "bin" / "python"

TIMEOUT_S = 600

BATCH: int = Settings.model_fields["max_poll_records"].default
"""Most records in a batch, alike for all contenders."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to process a topic.

    Attributes:
        name: in the tables.
        module: below `benchmarks.contenders`.
        topic: whose records it gets.
        batch: records per poll and transaction.
        python: the interpreter that has what it needs.
    """

    name: str
    module: str
    topic: str
    batch: int = BATCH
    python: str = sys.executable


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: the measured stretch, and whatever else the contender reported."""

    events: int
    seconds: float
    cpu_seconds: float
    more: dict[str, Any]

    @property
    def rate(self) -> float:
        """Events per second, end to end."""
        return self.events / self.seconds

    @property
    def us_per_event(self) -> float:
        """Elapsed microseconds per event."""
        return self.seconds / self.events * 1e6

    @property
    def cpu_us_per_event(self) -> float:
        """Processor time of the contender's process, all its threads, in microseconds per event."""
        return self.cpu_seconds / self.events * 1e6


def run(services: Services, contender: Contender, warm: int, total: int, **environment: str) -> Outcome:
    """One run of a contender, from an empty Redis."""
    name = f"run{uuid.uuid4().hex[:8]}"
    outputs = services.create_outputs(f"{name}.", contender.topic)
    job = Job(
        servers=services.kafka.servers,
        redis_port=services.redis.port,
        topic=contender.topic,
        run=name,
        warm=warm,
        total=total,
        batch=contender.batch,
        directory=str(services.directory / name),
    )
    process = subprocess.run(
        [contender.python, "-W", "ignore", "-m", f"benchmarks.contenders.{contender.module}", json.dumps(asdict(job))],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if process.returncode != 0:
        raise RuntimeError(f"{contender.name} failed:\n{process.stderr[-4000:]}")
    services.clear(outputs)
    report = json.loads(process.stdout.splitlines()[-1])
    return Outcome(report.pop("events"), report.pop("seconds"), report.pop("cpu_seconds"), report)


def contest(
    services: Services, contenders: Sequence[Contender], warm: int, total: int, rounds: int
) -> dict[str, list[Outcome]]:
    """Every contender in turn, as often as there are rounds: what disturbs the machine disturbs all alike."""
    outcomes: dict[str, list[Outcome]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            outcomes[contender.name].append(run(services, contender, warm, total))
    return outcomes


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios within each round."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))
