"""A database's features have one writer: everybody reads them, so nobody else may move them."""

from collections.abc import Callable

import pytest

from tests.online.conformance.lab import Lab
from tests.online.worker import Worker, first
from twinstream import packages
from twinstream.online.contract import OnlineStore, Partition
from twinstream.online.single_writer import OtherWriter, Runtime, Writer

ORDERS_0 = Partition("orders", 0, "order")
OTHERS = {"another runtime": ("tests", Runtime.JOB), "another consumer group": ("others", Runtime.LOOP)}


@pytest.fixture(params=OTHERS.values(), ids=OTHERS)
def other(request: pytest.FixtureRequest, lab: Lab) -> OnlineStore:
    """The store as somebody else sees it."""
    namespace, runtime = request.param
    return lab.store(namespace, runtime)


def test_another_writer_is_refused_and_leaves_no_trace(lab: Lab, worker: Worker, other: OnlineStore) -> None:
    worker.write(first())
    before = lab.everything()

    with pytest.raises(OtherWriter):
        other.check_writer(["transaction"])
    with pytest.raises(OtherWriter):
        other.claim(worker.claim.partition, "e1")

    assert lab.everything() == before
    worker.finish(1)


def test_the_refusal_names_who_writes_and_the_line_that_works() -> None:
    told = str(OtherWriter("Redis at cache:6379/0", "order", ("job", "shop"), Writer(Runtime.LOOP, "shop")))
    assert told == (
        "The order features in Redis at cache:6379/0 are written by the job with CONSUMER_GROUP=shop, and the loop "
        "with CONSUMER_GROUP=shop cannot go on from there. Give it a database, group and output topics of its own, "
        "such as: REDIS_DB=1 CONSUMER_GROUP=loop OUTPUT_PREFIX=loop. make run-features"
    )


@pytest.mark.parametrize(("runtime", "command"), [(Runtime.LOOP, "run"), (Runtime.JOB, "flink run")])
def test_without_a_makefile_the_refusal_names_the_command(
    runtime: Runtime, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "_CHECKOUT", False)
    told = str(OtherWriter("Redis at cache:6379/0", "order", ("job", "shop"), Writer(runtime, "other")))
    assert told.endswith(f". twinstream {command}")


def test_the_same_writer_comes_back(worker: Worker, store: OnlineStore, new_worker: Callable[..., Worker]) -> None:
    store.check_writer(["transaction", "order"])
    assert new_worker(epoch="e2").claim.epoch == "e2"


def test_groups_of_one_database_may_have_different_writers(worker: Worker, other: OnlineStore) -> None:
    other.check_writer(["order"])
    other.claim(ORDERS_0, "e1")
    with pytest.raises(OtherWriter):
        worker.store.claim(ORDERS_0, "e1")


def test_an_emptied_database_is_its_next_writers(lab: Lab, worker: Worker, other: OnlineStore) -> None:
    lab.lose_everything()
    other.claim(worker.claim.partition, "e1")
    with pytest.raises(OtherWriter):
        worker.store.claim(worker.claim.partition, "e1")
