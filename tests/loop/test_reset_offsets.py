"""`kafka-consumer-groups.sh --reset-offsets` on the group of a stopped loop: what the command does to it, really."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.paths import KAFKA
from tests.loop.lab import Lab, Run
from tests.loop.outputs import FEATURE_LOGS, Outputs, assert_same
from twinstream.local.jars import java_binary

TOOLS = replace(KAFKA, name="Kafka-tools", pom=Path(__file__).with_name("kafka-tools.pom.xml"))

COMMAND = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
"""What `kafka-consumer-groups.sh` runs."""


def reset_offsets(run: Run, *to: str) -> str:
    """Set the group's offsets of all topics, as an operator does; what the command says."""
    jars = f"{TOOLS.fetch()}/*"
    options = ["--bootstrap-server", run.lab.broker.servers, "--group", run.group, "--all-topics", *to]
    command = [java_binary("Kafka"), "-cp", jars, COMMAND, *options, "--reset-offsets", "--execute"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def processed(run: Run, reference: Outputs) -> Run:
    """A run that has processed the log whole, and stopped."""
    run.finish()
    assert_same(run.outputs(), reference)
    return run


def test_redis_wins_over_the_reset_and_says_so_once_for_each_partition(processed: Run, reference: Outputs) -> None:
    told = reset_offsets(processed, "--to-earliest")
    assert "transactions" in told
    said = processed.finish()
    assert said.count("The group's offset was set with another tool; Redis knows how far") == len(processed.lab.ends())
    assert "and wins: the offset is set back. To process again, set it once more" in said
    assert_same(processed.outputs(), reference)
    assert "set with another tool" not in processed.finish(), "the loop's own note is there again"


def test_by_decision_everything_from_the_reset_on_is_emitted_again_with_the_same_bytes(
    lab: Lab, processed: Run, reference: Outputs
) -> None:
    reset_offsets(processed, "--to-earliest")
    said = processed.finish("--if-log-lost", "rebuild")
    assert said.count("The group's offset was set with another tool, and wins") == len(lab.ends())
    outputs = processed.outputs()
    for name in FEATURE_LOGS:
        assert sorted(outputs[name]) == sorted(reference[name] * 2)
    features = [name for name in reference if name.startswith("features:")]
    assert {name: outputs[name] for name in features} == {name: reference[name] for name in features}
