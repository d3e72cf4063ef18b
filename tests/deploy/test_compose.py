"""The Compose file and what it mounts, checked without a Docker engine."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from deploy.local.broker import BROKER_PROPERTIES
from deploy.local.paths import KAFKA, ROOT
from twinstream.loop.loop_metrics import LoopMetrics

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))


def test_compose_file_follows_the_specification() -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    command = [str(checker), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


def test_services_have_the_names_that_users_know() -> None:
    assert SERVICES["kafka"]["container_name"] == "stream-guard-kafka"
    assert SERVICES["localstack"]["container_name"] == "fraud-detection-localstack"
    assert {"kafka", "redis", "kafka-ui", "localstack", "prometheus", "grafana"} <= set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_image_is_pinned_or_built_here(name: str) -> None:
    service = SERVICES[name]
    if "build" not in service:
        assert re.fullmatch(r"[\w./-]+:v?\d+(\.\d+)+[\w.-]*", service["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_exists(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = volume.split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_broker_is_the_local_one() -> None:
    environment = SERVICES["kafka"]["environment"]
    expected = {f"KAFKA_{name.upper().replace('.', '_')}": str(value) for name, value in BROKER_PROPERTIES.items()}
    assert expected.items() <= environment.items()
    pom = ElementTree.parse(KAFKA.pom).getroot()
    version = pom.findtext("m:properties/m:kafka.version", namespaces={"m": "http://maven.apache.org/POM/4.0.0"})
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version}"


def test_redis_evicts_nothing_and_keeps_everything() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes --appendfsync everysec" in command
    assert "--maxmemory-policy noeviction" in command


def test_prometheus_scrapes_the_loops_default_port() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    assert targets["loop"] == ["host.docker.internal:8088"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_every_metric_of_a_dashboard_exists(path: Path) -> None:
    panels = json.loads(path.read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    named = {name for expression in expressions for name in re.findall(r"\btwinstream_\w+", expression)}
    assert named
    assert named <= LoopMetrics().names()


def test_every_metric_of_the_loop_is_on_its_dashboard() -> None:
    text = (GRAFANA / "dashboards" / "loop.json").read_text()
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in LoopMetrics().names()}
    assert {name for name in families if name not in text} == set()


def test_dashboard_reads_the_provisioned_datasource() -> None:
    datasources = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yaml").read_text())
    uids = {source["uid"] for source in datasources["datasources"]}
    for path in DASHBOARDS:
        panels = json.loads(path.read_text())["panels"]
        assert {panel["datasource"]["uid"] for panel in panels} <= uids
        assert len({panel["id"] for panel in panels}) == len(panels)
