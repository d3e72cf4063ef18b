"""A store that does not answer, and calls that are repeated because nobody knows whether they were carried out."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.features.events import MIDDAY_MS
from tests.online.conformance.lab import Lab
from tests.online.worker import PARTITION_0, Worker, first
from twinstream.core.lateness import LatenessState
from twinstream.online.contract import Claim, Finish, Load, OnlineStore, Progress
from twinstream.online.store_errors import StoreMismatch, StoreUnavailable

NEW = Progress(9, LatenessState(MIDDAY_MS))
CLAIM = Claim(PARTITION_0, "e1", "token")

Call = Callable[[OnlineStore, Claim], Any]

READS: dict[str, Call] = {
    "ping": lambda store, _: store.ping(),
    "state": lambda store, _: store.state("transaction", "card"),
    "states": lambda store, _: store.states([("transaction", "card")]),
    "features": lambda store, _: store.features("transaction", "card"),
    "all_features": lambda store, _: list(store.all_features("transaction")),
    "progress": lambda store, _: store.progress(PARTITION_0),
    "check_writer": lambda store, _: store.check_writer(["transaction"]),
    "load": lambda store, claim: store.load([Load(claim, None, ["card"])]),
}
CHANGES: dict[str, Call] = {
    "forget": lambda store, claim: store.forget(claim),
    "write": lambda store, claim: store.write([(claim, [first("new", 1)])]),
    "finish": lambda store, claim: store.finish([Finish(claim, None, NEW)]),
    "finish that sweeps": lambda store, claim: store.finish([Finish(claim, None, NEW, MIDDAY_MS)]),
    "save_progress": lambda store, claim: store.save_progress([(claim, None, NEW)]),
    "sweep": lambda store, claim: store.sweep([(claim, MIDDAY_MS)]),
}
CLAIMS: dict[str, Call] = {"claim": lambda store, _: store.claim(PARTITION_0, "e1")}


def by_name(calls: dict[str, Call]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("call", calls.values(), ids=calls)


@by_name(READS | CHANGES | CLAIMS)
def test_a_store_that_is_away_is_unavailable_for_every_call(lab: Lab, call: Call) -> None:
    with pytest.raises(StoreUnavailable):
        call(lab.store_that_is_away(), CLAIM)


@by_name(CHANGES)
def test_a_change_that_is_repeated_changes_nothing_more(lab: Lab, worker: Worker, call: Call) -> None:
    worker.write(first())
    call(worker.store, worker.claim)
    once = lab.everything()

    call(worker.store, worker.claim)

    assert lab.everything() == once


@by_name(READS)
def test_reading_changes_nothing(lab: Lab, worker: Worker, call: Call) -> None:
    worker.write(first())
    before = lab.everything()

    first_answer = call(worker.store, worker.claim)

    assert call(worker.store, worker.claim) == first_answer
    assert lab.everything() == before


@by_name(CHANGES)
def test_a_change_with_a_claim_that_does_not_hold_changes_nothing(
    lab: Lab, worker: Worker, new_worker: Callable[..., Worker], call: Call
) -> None:
    worker.write(first())
    new_worker()
    before = lab.everything()

    with pytest.raises(StoreMismatch, match="transactions-0 has been taken over by another worker"):
        call(worker.store, worker.claim)

    assert lab.everything() == before


@by_name(CHANGES)
def test_a_store_that_lost_everything_refuses_every_change(lab: Lab, worker: Worker, call: Call) -> None:
    worker.write(first())
    lab.lose_everything()
    nothing = lab.everything()

    with pytest.raises(StoreMismatch, match="or the store has lost it"):
        call(worker.store, worker.claim)

    assert lab.everything() == nothing


def test_a_claim_that_is_repeated_voids_the_one_before(worker: Worker) -> None:
    again = Worker(worker.store)

    again.write(first())
    with pytest.raises(StoreMismatch):
        worker.write(first("other"))


def test_a_batch_is_written_in_steps(worker: Worker) -> None:
    taken: list[str] = []

    def entities() -> Any:
        for name in ("a", "b"):
            taken.append(name)
            yield first(name)

    batch = worker.store.writing([(worker.claim, entities())])
    assert taken == []
    batch.make()
    assert taken == ["a", "b"]
    assert worker.features("a") == {}
    batch.send()
    assert batch.outcome().conflicts == []
    assert taken == ["a", "b"]
    assert worker.features("b")["offset"] == "0"


def test_a_refusal_shows_in_the_outcome(worker: Worker, new_worker: Callable[..., Worker]) -> None:
    new_worker()
    batch = worker.store.writing([(worker.claim, [first()])])

    batch.send()

    with pytest.raises(StoreMismatch):
        batch.outcome()


def test_a_batch_that_was_given_up_may_be_sent_anew(worker: Worker) -> None:
    given_up = worker.store.writing([(worker.claim, [first()])])
    given_up.send()
    given_up.give_up()

    worker.write(first())

    assert worker.features()["offset"] == "0"
