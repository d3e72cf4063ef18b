"""How old a feature is when it can be read, and how long nothing new appears after a crash."""

import time
from contextlib import ExitStack
from statistics import median, quantiles

from benchmarks.lab.report import Finding
from benchmarks.lab.services import Services
from benchmarks.lab.worker import Feed, worker
from twinstream.definitions import load_registry
from twinstream.log.topics import ensure_topics

GROUP = "steady"
"""The workers of all questions continue where the last one ended."""

REGISTRY = load_registry("features")
WARM_UP_S = 5.0

CATCH_UP_S, BEHIND_MS = 60.0, 1_000.0
"""A worker has this long to work off what came in while it started, so that features are no older than this."""


def freshness(local: Services, events_per_second: float, seconds: float) -> Finding:
    """From the producer's `send` until the card's features are in Redis, polled every millisecond."""
    ensure_topics(local.kafka.servers, REGISTRY, f"{GROUP}.")
    feed = Feed(local, events_per_second)
    with worker(local, GROUP):
        feed.first(time.monotonic())
        until = time.monotonic() + CATCH_UP_S
        while max((seen.age_ms for seen in feed.run(WARM_UP_S)), default=0.0) > BEHIND_MS and time.monotonic() < until:
            """It is still working off what came in while it started."""
        ages_ms = sorted(seen.age_ms for seen in feed.run(seconds))
    feed.close()
    cuts = quantiles(ages_ms, n=100)
    return Finding(
        f"Freshness at {events_per_second:,.0f} events/s",
        ("probes", "p50 ms", "p90 ms", "p99 ms", "max ms"),
        [[str(len(ages_ms)), *(f"{age:.1f}" for age in (cuts[49], cuts[89], cuts[98], ages_ms[-1]))]],
        f"From the producer's `send` to readable in Redis, over {seconds:.0f} s. Goal: p99 of 100 ms at most.",
    )


def recovery(local: Services, crashes: int) -> Finding:
    """From kill -9, with the worker started again at once, to the first feature of an event produced after it."""
    ensure_topics(local.kafka.servers, REGISTRY, f"{GROUP}.")
    feed = Feed(local, 500)
    gaps_s = []
    with ExitStack() as running:
        process = running.enter_context(worker(local, GROUP))
        feed.first(time.monotonic())
        for _ in range(crashes):
            list(feed.run(WARM_UP_S))
            killed_s = time.monotonic()
            process.kill()
            process = running.enter_context(worker(local, GROUP))
            gaps_s.append(feed.first(killed_s).readable_s - killed_s)
    feed.close()
    return Finding(
        "Recovery after kill -9",
        ("crashes", "median s", "longest s"),
        [[str(crashes), f"{median(gaps_s):.2f}", f"{max(gaps_s):.2f}"]],
        "From the kill, with the worker started again at once, to the first feature of an event produced after it, at "
        "500 events/s. Goal: 5 s at most.",
    )
