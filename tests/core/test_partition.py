"""One partition from log to outcomes: nothing lost, nothing twice, however it is cut, crashed or rebuilt."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.features.events import LATENESS_MS, MIDDAY_MS, WINDOW_MS
from tests.reference import GROUPS, computing
from twinstream.core.dead_letters import encode_dead_letter
from twinstream.core.lateness import NOTHING_SEEN
from twinstream.core.partition import PartitionProcessor
from twinstream.core.stamping import StampingLimits
from twinstream.core.state import EntityState, WindowConfig
from twinstream.core.vectors import encode_feature_record

GROUP = GROUPS["transaction"]
SKEW_MS = 300_000
LIMITS = StampingLimits(max_record_bytes=1_000, allowed_lateness_ms=LATENESS_MS, max_future_skew_ms=SKEW_MS)
POISON = 666
AHEAD_MS = [0, 0, 0, -1, -10_000, -30_000, -30_001, -200_000, 10_000, 300_000, 300_001]


@dataclass(frozen=True)
class Record:
    """A record of the source log."""

    offset: int
    timestamp: int
    value: bytes | None
    topic: str = "transactions"
    partition: int = 0
    key: bytes | None = None
    append_timed: bool = True


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """A log over some windows' time, with disorder, redeliveries, bad clocks, poison and rubbish."""
    log: list[Record] = []
    now_ms = MIDDAY_MS
    stamped_by_broker = draw(st.sampled_from([st.just(True), st.just(False), st.booleans()]))
    for offset in range(draw(st.integers(1, 30))):
        now_ms += draw(st.sampled_from([0, 1, 1_000, 20_000, 100_000, 200_000]))
        kind = draw(st.sampled_from(["new"] * 8 + ["again"] * 3 + ["rubbish", "null", "large"]))
        if kind == "again" and log:
            value = draw(st.sampled_from(log)).value
        elif kind in ("new", "again"):
            ahead_ms = draw(st.sampled_from(AHEAD_MS))
            value = msgspec.json.encode(
                {
                    "transaction_id": f"t{offset}",
                    "event_time": now_ms + ahead_ms,
                    "card_id": draw(st.sampled_from(["a", "b", "c"])),
                    "amount": draw(st.sampled_from([1, 10, 500, POISON])),
                    "currency": "EUR",
                }
            )
        else:
            value = {"rubbish": b"{", "null": None, "large": b" " * 1_001}[kind]
        log.append(Record(offset, now_ms, value, append_timed=draw(stamped_by_broker)))
    return log


@contextmanager
def poisonous() -> Iterator[None]:
    """While it lasts, a feature raises at an amount of 666."""

    def picky(window: Any) -> int:
        return 1 // (window.newest is None or window.newest.amount_minor != POISON * 100)

    features = GROUP.features
    with computing(GROUP, [*features, replace(features[0], name="picky", compute=picky)]):
        yield


class Run:
    """A worker on the partition."""

    def __init__(self, max_events: int, states: dict[str, EntityState] | None = None, **start: Any) -> None:
        self.window = WindowConfig(WINDOW_MS, max_events)
        self.partition = PartitionProcessor(GROUP, self.window, LIMITS, lambda record: record, **start)
        self.states = {} if states is None else states
        self.features: list[tuple[int, bytes]] = []
        self.dead_letters: list[tuple[int, bytes]] = []

    def over(self, records: Sequence[Record]) -> "Run":
        """Process these records in one batch."""
        applied = self.partition.apply(self.partition.stamp(records), self.states)
        self.features += [(record.offset, encode_feature_record(record)) for record in applied.features]
        self.dead_letters += [(letter.offset, encode_dead_letter(letter)) for letter in applied.dead_letters]
        return self

    def reloaded_states(self) -> dict[str, EntityState]:
        """The states as another worker would load them."""
        stored = {entity: state.stored() for entity, state in self.states.items()}
        return {
            entity: EntityState.load(GROUP, self.window, whole.head, whole.changed) for entity, whole in stored.items()
        }

    def outcomes(self, start: int = 0) -> list[tuple[int, bytes]]:
        """Everything emitted of the records from `start` on."""
        return sorted(outcome for outcome in (*self.features, *self.dead_letters) if outcome[0] >= start)

    def shown(self) -> dict[str, Any]:
        """What Redis would show of the entities that have not been swept."""
        return {
            entity: (state.applied_offset, state.newest_event_time_ms, state.newest_vector())
            for entity, state in self.states.items()
            if state.newest_event_time_ms is not None and state.newest_event_time_ms > self.partition.sweep_until_ms
        }


@pytest.fixture(autouse=True)
def _poison() -> Iterator[None]:
    with poisonous():
        yield


caps = st.sampled_from([1, 2, 3, 50_000])


@given(logs(), caps)
def test_every_record_has_exactly_one_outcome(log: list[Record], max_events: int) -> None:
    run = Run(max_events).over(log)
    assert [offset for offset, _ in run.outcomes()] == [record.offset for record in log]


@given(logs(), caps, st.data())
def test_a_log_can_be_cut_anywhere_and_the_states_stored_there(
    log: list[Record], max_events: int, data: st.DataObject
) -> None:
    whole = Run(max_events).over(log)
    cut = data.draw(st.integers(0, len(log)))
    first = Run(max_events).over(log[:cut])
    states = first.reloaded_states()
    second = Run(max_events, states, lateness=first.partition.lateness).over(log[cut:])
    assert first.outcomes() + second.outcomes() == whole.outcomes()
    assert second.shown() == whole.shown()


@given(logs(), caps, st.data())
def test_a_crash_between_any_writes_is_recovered_from(log: list[Record], max_events: int, data: st.DataObject) -> None:
    """Progress stands at P, Kafka's offset at C, and each entity's state somewhere between the two."""
    whole = Run(max_events).over(log)
    c = data.draw(st.integers(0, len(log)))
    p = data.draw(st.integers(0, c))
    at_p, at_c = Run(max_events).over(log[:p]), Run(max_events).over(log[:c])
    states = {
        entity: Run(max_events).over(log[: data.draw(st.integers(p, c))]).reloaded_states().get(entity)
        for entity in "abc"
    }
    recovered = Run(
        max_events,
        {entity: state for entity, state in states.items() if state is not None},
        lateness=at_p.partition.lateness,
        emit_from=c,
        forget_until_ms=horizon_ms(at_c),
    ).over(log[p:])
    assert recovered.outcomes() == whole.outcomes(c)
    assert recovered.shown() == whole.shown()


@given(logs(), caps, st.data())
def test_states_that_are_lost_are_rebuilt_from_a_part_of_the_log(
    log: list[Record], max_events: int, data: st.DataObject
) -> None:
    whole = Run(max_events).over(log)
    c = data.draw(st.integers(0, len(log)))
    horizon = horizon_ms(Run(max_events).over(log[:c]))
    known = Run(max_events).over(log[:c]).partition.lateness
    if horizon is None:
        start = c if known == NOTHING_SEEN else 0
    else:
        start = next((record.offset for record in log if record.timestamp >= horizon - SKEW_MS), c)
    rebuilt = Run(max_events, emit_from=c, forget_until_ms=horizon).over(log[min(start, c) :])
    assert rebuilt.outcomes() == whole.outcomes(c)
    assert rebuilt.shown() == whole.shown()


def horizon_ms(run: Run) -> int | None:
    """X of the recovery: what an event at or before it has brought about cannot be asked for any more."""
    newest_ms, _, _, unvouched_ms = run.partition.lateness
    if newest_ms is None:
        return None
    horizon = newest_ms - 2 * WINDOW_MS - 3 * LATENESS_MS
    return None if unvouched_ms is not None and unvouched_ms > horizon else horizon
