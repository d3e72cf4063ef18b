"""Any calls in any order get the same answers from every store: values, refusals in words, and what is left."""

from typing import Any, NamedTuple

import redis
from hypothesis import given
from hypothesis import strategies as st

from tests.online.conformance.lab import Lab, MemoryLab, RedisLab
from tests.properties import tries
from twinstream.core.lateness import LatenessState
from twinstream.core.state import StateDelta
from twinstream.errors import UserError
from twinstream.online.contract import Claim, EntityWrite, Finish, Load, Partition, Progress
from twinstream.online.single_writer import Runtime
from twinstream.online.store_errors import StoreError

PARTITIONS = [Partition("ours", 0, "group"), Partition("ours", 1, "group"), Partition("theirs", 0, "group")]
ENTITIES = ["a", "b"]
NAMES = ["count", "name"]

offsets = st.integers(0, 4)
times = st.integers(10, 14)
mostly = st.sampled_from([True, True, True, False])
which_claim = st.integers(0, 2)  # of those that there have been, the newest first
progresses = st.none() | st.tuples(offsets, times).map(lambda each: Progress(each[0], LatenessState(each[1])))


class Step(NamedTuple):
    """One call: its name, and what it is given beside a claim.

    Where `right` is, the places are not those given, but where the store says that entities and partitions stand: most
    calls would be refused otherwise.
    """

    call: str
    claim: int = 0
    right: bool = True
    given: Any = None


@st.composite
def writes(draw: st.DrawFn) -> EntityWrite:
    base, offset, time = draw(st.integers(-1, 4)), draw(offsets), draw(times)
    numbers = st.integers(0, 2)
    changed = {number: b"%d-%d" % (number, offset) for number in draw(st.sets(numbers))}
    dropped = sorted(draw(st.sets(numbers)) - changed.keys())
    delta = StateDelta(b"head-%d" % offset, changed, dropped)
    return EntityWrite(draw(st.sampled_from(ENTITIES)), base, offset, time, NAMES, b"%d\nx y\n" % offset, delta)


NOTHING = st.none()


def step(call: str, given: st.SearchStrategy[Any] = NOTHING) -> st.SearchStrategy[Step]:
    return st.tuples(which_claim, mostly, given).map(lambda each: Step(call, *each))


steps = st.one_of(
    step("claim", st.tuples(st.sampled_from(PARTITIONS), st.sampled_from(["e1", "e2"]))),
    *[step("write", st.lists(writes(), min_size=1, max_size=3))] * 4,
    step("finish", st.tuples(progresses, progresses, st.none() | times)),
    *[step("sweep", times)] * 2,
    step("forget"),
    step("load", progresses),
    step("steal", st.sampled_from(PARTITIONS)),
    step("lose everything"),
)


class Player:
    """Plays steps on a store and notes the answers; tokens, which differ, are left out."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._store = lab.store()
        self._claims: list[Claim] = []

    def play(self, step: Step) -> Any:
        try:
            answer = self._answer(step)
        except (StoreError, UserError) as refusal:
            return type(refusal).__name__, str(refusal).partition(" features in ")[0]
        return answer, self._left()

    def _answer(self, step: Step) -> Any:
        store, given = self._store, step.given
        if step.call == "claim":
            claim, progress = store.claim(*given)
            self._claims.append(claim)
            return progress
        if step.call == "steal":
            return self._lab.store("others", Runtime.JOB).claim(given, "e1")[1]
        if step.call == "lose everything":
            return self._lab.lose_everything()
        claim = self._claims[-1 - step.claim % len(self._claims)]
        if step.call == "write":
            return store.write([(claim, self._based(claim, given) if step.right else given)])
        if step.call == "finish":
            expected, new, until_ms = given
            expected = self._progress(claim) if step.right else expected
            return new and store.finish([Finish(claim, expected, new, until_ms)])
        if step.call == "sweep":
            return store.sweep([(claim, given)])
        if step.call == "load":
            return store.load([Load(claim, self._progress(claim) if step.right else given, ENTITIES)])
        return store.forget(claim)

    def _progress(self, claim: Claim) -> Progress | None:
        recorded = self._store.progress(claim.partition)
        return None if recorded is None else recorded.progress

    def _based(self, claim: Claim, writes: list[EntityWrite]) -> list[EntityWrite]:
        """The writes as changes of what is there."""
        (there,) = self._store.load([Load(claim, self._progress(claim), ENTITIES)])
        bases = {entity: -1 if stored is None else stored.offset for entity, stored in there.items()}
        return [write._replace(base_offset=bases[write.entity]) for write in writes]

    def _left(self) -> Any:
        """All that anybody can ask."""
        store = self._store
        return (
            sorted(store.all_features("group")),
            [store.features("group", entity) for entity in ENTITIES],
            [store.state("group", entity) for entity in ENTITIES],
            store.states([("group", entity) for entity in ENTITIES]),
            [store.progress(partition) for partition in PARTITIONS],
            self._lab.holds_entities(),
        )


@tries(300)
@given(story=st.lists(steps, min_size=5, max_size=30))
def test_any_story_goes_the_same_way(redis_client: redis.Redis, story: list[Step]) -> None:
    redis_client.flushall()
    ours, redis_s = Player(MemoryLab()), Player(RedisLab(redis_client, 1))
    beginning = [Step("claim", given=(partition, "e1")) for partition in PARTITIONS]
    for step in [*beginning, *story]:
        assert ours.play(step) == redis_s.play(step), step
