"""The dashboard's panels, and whether a runtime serves what their queries ask for."""

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import yaml

from deploy.local.paths import ROOT

DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "loop.json"
PROMETHEUS = ROOT / "deploy" / "prometheus" / "prometheus.yml"

PANELS: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
SCRAPES: list[dict[str, Any]] = yaml.safe_load(PROMETHEUS.read_text())["scrape_configs"]

PATIENCE_S = 300.0

LOOP_ONLY = ["Records that Kafka deleted unprocessed"]
"""What the job does not count."""

Series = Mapping[str, set[str]]
"""The labels of what is served, by name."""


def scrape(port: int) -> str:
    """What is served at a port now; nothing if nobody answers."""
    try:
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except (URLError, OSError):
        return ""


def series(scraped: str) -> Series:
    """What Prometheus makes of a scrape."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, labels in re.findall(r"^([A-Za-z_]\w*)(?:\{(.*)\})? \S+$", scraped, re.MULTILINE):
        found[renamed(name)] |= set(re.findall(r'(\w+)="', labels)) | {"instance"}
    return found


def renamed(name: str) -> str:
    """What `deploy/prometheus` makes of a metric's name."""
    for rule in SCRAPES[0]["metric_relabel_configs"]:
        match = re.fullmatch(rule["regex"], name)
        if match:
            name = match.expand(rule["replacement"].replace("$", "\\"))
    return name


def without_source(served: Series) -> list[str]:
    """The titles of the panels none of whose queries finds its metrics, with the labels it groups and names by."""
    return [panel["title"] for panel in PANELS if not any(_found(target, served) for target in panel["targets"])]


def until_every_panel_has_a_source(ports: Iterable[int]) -> None:
    """Wait until a job that is served at these ports answers every query; buckets of histograms have numbers."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        scraped = "".join(scrape(port) for port in ports)
        missing = without_source(series(scraped))
        if missing == LOOP_ONLY:
            break
        assert time.monotonic() < deadline, f"no source for {missing}"
        time.sleep(0.5)
    assert {"0.005", "+Inf"} <= set(re.findall(r'le="([^"]*)"', scraped))


def _found(target: Mapping[str, str], served: Series) -> bool:
    labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
    return any(
        all(labels <= served.get(name, set()) for name in re.findall(r"\b(?:twinstream|flink)_\w+", alternative))
        for alternative in target["expr"].split(" or ")
    )
