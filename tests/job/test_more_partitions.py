"""Source topics get more partitions while the job runs: it finds them, its outputs follow, and nothing is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from producers.seeding.seeder import Seeded
from tests.job.lab import PATIENCE_S, embedded, rederived, run_embedded
from tests.loop.lab import Lab, Run
from tests.loop.logs import mixed_messages
from tests.loop.outputs import OUTPUT_TOPICS, Outputs
from tests.reference import BY_TOPIC
from tests.waiting import wait_until
from twinstream.log.kafka import TopicAdmin

pytestmark = pytest.mark.timeout(600)

FEW, MORE = 2, 5


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of its own: the other tests' sources stay as they are."""
    with Lab(tmp_path_factory.mktemp("more-partitions")) as lab:
        lab.create_sources_of(FEW)
        yield lab


def messages(count: int, seed: int) -> Iterator[Seeded]:
    """Transactions as producers send them that set no key, so that a card's are in any partition."""
    for seeded in mixed_messages(count, seed):
        keyless = seeded.topic == "transactions" and seeded.message.value is not None  # the client sends neither
        yield seeded._replace(message=seeded.message._replace(key=None)) if keyless else seeded


def rows(outputs: Outputs) -> dict[str, list[tuple[bytes, bytes]]]:
    """The rows of the logs, in whichever partition: a result without its record's key has the partition of its own."""
    return {name: sorted((key or b"", value) for _, key, value in outputs[name]) for name in OUTPUT_TOPICS}


def test_outputs_follow_a_source_that_is_widened_under_a_job_whether_or_not_producers_set_keys(
    lab: Lab, run: Run, tmp_path: Path
) -> None:
    state = ("--state-directory", (tmp_path / "state").as_uri())
    lab.send(messages(1_000, seed=1))
    with embedded(run, tmp_path, *state) as job:
        run.until_in_redis(PATIENCE_S, job.said)
        with TopicAdmin(lab.broker.servers) as admin:
            for topic in BY_TOPIC:
                admin.widen(topic, MORE)
        lab.send(messages(1_000, seed=2))
        assert {place.rpartition(":")[2] for place in lab.ends()} == {str(number) for number in range(MORE)}
        run.until_in_redis(PATIENCE_S, job.said)
        expected = rows(lab.replayed())
        wait_until(lambda: rows(run.outputs()) == expected, "everything is committed", PATIENCE_S, job.said)
    with TopicAdmin(lab.broker.servers) as admin:
        partitions = admin.partitions()
    assert {partitions[name] for name in run.output_topics} == {MORE}
    results = rederived(run)
    assert all(result.same and result.compared for result in results), results

    continued = run_embedded(run, tmp_path, *state, "--savepoint", "latest")
    assert continued.returncode == 0, continued.stderr
    assert rows(run.outputs()) == expected, "the states of the partitions that were added are found again"
