"""A source topic that is deleted and created again: its second life has nothing to do with its first."""

import time

import pytest

from tests.loop.lab import PARTITIONS, Lab, Run
from tests.loop.logs import mixed_messages
from tests.loop.outputs import Outputs, assert_same, replayed
from tests.topics import create
from tests.waiting import wait_until
from twinstream.log.kafka import TopicAdmin
from twinstream.log.topics import source_topic


class TwoLives:
    """Source topics of which one is created anew, and what is expected of a run over both of its lives."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        lab.create_sources()
        lab.send(mixed_messages(600, seed=1))
        self._first = lab.sources()

    def begin_the_second(self, away_s: float = 0) -> None:
        """Delete the transactions and create them again after a while, with more records than there were."""
        with TopicAdmin(self._lab.broker.servers) as admin:
            admin.delete(["transactions"])
            wait_until(lambda: "transactions" not in admin.partitions(), "the topic is gone")
        time.sleep(away_s)
        create(self._lab.broker.servers, [source_topic("transactions", PARTITIONS)])
        self._lab.send(each for each in mixed_messages(2_000, seed=2) if each.topic == "transactions")

    def expected(self) -> Outputs:
        """The logs of both lives one after the other; the features of the second only."""
        first, second = replayed(self._first), self._lab.replayed()
        for name in ("features.transaction", "transactions.dlq"):
            lines = first[name] + second[name]
            second[name] = sorted(lines, key=lambda line: line[0])
        return second


@pytest.fixture
def lives(lab: Lab) -> TwoLives:
    """Source topics in their first life."""
    return TwoLives(lab)


def test_a_topic_created_anew_between_two_workers_starts_over(lives: TwoLives, run: Run) -> None:
    run.finish()
    lives.begin_the_second()
    run.finish()
    assert_same(run.outputs(), lives.expected())


@pytest.mark.parametrize("away_s", [0, 3])
def test_a_topic_created_anew_under_a_live_worker_starts_over(lives: TwoLives, run: Run, away_s: float) -> None:
    worker = run.start()
    run.until_caught_up()
    lives.begin_the_second(away_s)
    run.until_caught_up()
    assert worker.terminate() == 0
    assert_same(run.outputs(), lives.expected())
