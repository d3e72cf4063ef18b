"""The lab, and a log with its reference run, shared by the tests of a module."""

from collections.abc import Iterator

import pytest

from deploy.local import LocalKafka, LocalRedis
from tests.flink.lab import Lab, Outputs, Run, assert_same, mixed_messages


@pytest.fixture(scope="module")
def lab(kafka_broker: LocalKafka, redis_server: LocalRedis, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A lab with empty source topics."""
    lab = Lab(kafka_broker, redis_server, tmp_path_factory.mktemp("lab"))
    lab.create_sources()
    return lab


@pytest.fixture(scope="module")
def reference(lab: Lab) -> Outputs:
    """What an uninterrupted run makes of the mixed log, which is in the source topics from here on."""
    lab.send(mixed_messages())
    with lab.run() as run:
        worker = run.start_command("--until-caught-up")
        assert worker.wait() == 0, worker.said()
        outputs = run.outputs()
    assert_same(outputs, lab.replayed())
    return outputs


@pytest.fixture
def run(lab: Lab) -> Iterator[Run]:
    """A run of a consumer group of its own."""
    with lab.run() as run:
        yield run
