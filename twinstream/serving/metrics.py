"""What is measured of the read API, for a scrape of `/metrics`. No label has an entity in it.

With several processes each writes its numbers to files of a folder, and whichever is scraped adds all of them up:
Prometheus' client does so when `PROMETHEUS_MULTIPROC_DIR` names the folder as it is imported.
"""

import os
from collections import Counter as CountOf
from collections.abc import Sequence
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from twinstream.metrics import Metric
from twinstream.serving.answers import Answer

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

REQUEST_BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.004, 0.006, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
ENTITY_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000)
AGE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400)
"""Upper bounds of the histograms' buckets: seconds, entities, seconds."""

REQUEST_SECONDS = Metric(
    "twinstream_serving_request_seconds",
    "From a request's headers to the end of its response, in seconds.",
    ("route", "status"),
)
ENTITIES = Metric("twinstream_serving_entities_per_call", "Entities that a call for features names.")
ANSWERS = Metric("twinstream_serving_answers_total", "Entities answered, by what came of it.", ("group", "status"))
AGE_SECONDS = Metric(
    "twinstream_serving_age_seconds",
    "From an entity's newest event to the moment that it was served for, in seconds.",
    ("group",),
)


class ServingMetrics:
    """The numbers of one process."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._request_seconds = Histogram(*REQUEST_SECONDS, registry=registry, buckets=REQUEST_BUCKETS)
        self._entities = Histogram(*ENTITIES, registry=registry, buckets=ENTITY_BUCKETS)
        self._answers = Counter(*ANSWERS, registry=registry)
        self._age_seconds = Histogram(*AGE_SECONDS, registry=registry, buckets=AGE_BUCKETS)

    def request(self, route: str, status: HTTPStatus, seconds: float) -> None:
        """A request was answered."""
        self._request_seconds.labels(route, int(status)).observe(seconds)

    def served(self, group: str, answers: Sequence[Answer]) -> None:
        """Entities of a group were answered."""
        observe = self._age_seconds.labels(group).observe
        for each in answers:
            if each.features is not None and each.age_ms is not None:
                observe(max(0, each.age_ms) / 1_000)
        for status, number in CountOf(each.status for each in answers).items():
            self._answers.labels(group, status).inc(number)

    def called(self, entities: int) -> None:
        """A call named so many entities."""
        self._entities.observe(entities)

    def text(self) -> bytes:
        """All numbers of all processes, as Prometheus reads them."""
        if FOLDER_VARIABLE not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
