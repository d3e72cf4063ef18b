"""Reading entities' features at a moment: exact, also between their events and long after the last of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from twinstream.core.feature_group import FeatureGroup
from twinstream.core.rejection import Rejected
from twinstream.core.state import EntityState, StateUnreadable, WindowConfig
from twinstream.errors import UserError
from twinstream.online.contract import EntityName, Found, OnlineReader
from twinstream.registry import Registry
from twinstream.timestamps import iso


class Status(StrEnum):
    """What came of a question for an entity's features at a moment. The first two have a vector, the others none."""

    PRESENT = "present"
    """The vector is exact."""
    TRUNCATED = "truncated"
    """The entity had more events in the window than are kept of one: the vector is of the newest of them."""
    ABSENT = "absent"
    """The entity was never seen, or so long ago that it has been forgotten."""
    TOO_OLD = "too_old"
    """Events that the moment needs have been forgotten."""
    REBUILDING = "rebuilding"
    """It has features, but no state that fits: lost, of another epoch, or written by other definitions or settings."""
    FAILED = "failed"
    """A feature raised."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of an entity at a moment.

    Attributes:
        group: whose definitions were used.
        entity: whom it is about.
        at_ms: the moment, epoch ms.
        status: what came of it.
        vector: the features, computed for that moment; None unless the status has one.
        event_time_ms: of the entity's newest event, which may be after the moment; None where none is kept.
        topic, partition, offset: place of the newest record applied to the entity; None where no state is.
        epoch: that the state is of.
        detail: one sentence about a state or a moment that cannot be read; empty otherwise.
    """

    group: FeatureGroup
    entity: str
    at_ms: int
    status: Status
    vector: msgspec.Struct | None = None
    event_time_ms: int | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    epoch: str | None = None
    detail: str = ""


def reading(group: FeatureGroup, window: WindowConfig, entity: str, at_ms: int, found: Found | None) -> Reading:
    """An entity's features exactly as of a moment (epoch ms), from what a store has of it."""
    if found is None:
        return Reading(group, entity, at_ms, Status.ABSENT)
    (topic, partition, _), epoch, stored = found
    if stored is None:
        return Reading(
            group,
            entity,
            at_ms,
            Status.REBUILDING,
            detail=f"{entity} has features, but no state that they were made from. A running worker rebuilds it.",
        )
    vector, event_time_ms, detail = None, None, ""
    try:
        state = EntityState.load(group, window, stored.head, stored.chunks)
        event_time_ms = state.newest_event_time_ms
        earliest_ms = state.horizon_ms + window.size_ms
        if at_ms < earliest_ms:
            status = Status.TOO_OLD
            detail = (
                f"What {entity} was at {iso(at_ms)} is not kept any more. The earliest moment is {iso(earliest_ms)}."
            )
        else:
            vector = state.vector_at(at_ms)
            status = Status.TRUNCATED if state.truncated else Status.PRESENT
    except StateUnreadable as fault:
        status = Status.REBUILDING
        detail = f"The state of {entity} cannot be read ({fault}). A running worker rebuilds it."
    except Rejected as rejected:
        status = Status.FAILED
        detail = f"The features of {entity} at {iso(at_ms)} fail: {rejected.detail}."
    return Reading(group, entity, at_ms, status, vector, event_time_ms, topic, partition, stored.offset, epoch, detail)


class Reader:
    """Reads what the workers of a namespace write; needs no claim.

    Args:
        store: where.
        registry: the groups.
        window: size and bounds of the windows.
    """

    def __init__(self, store: OnlineReader, registry: Registry, window: WindowConfig) -> None:
        self._store = store
        self._registry = registry
        self._window = window

    def read(self, group: str, entity: str, at_ms: int) -> Reading | None:
        """An entity's features exactly as of a moment (epoch ms), from what has arrived; None when it has no state.

        Should it have states of two partitions, the one whose features are shown is read.

        Raises:
            UserError: there is no such group, what is stored is of another version, events that the moment needs have
                been forgotten, or a feature fails.
        """
        (read,) = self.read_many([(group, entity)], at_ms)
        if read.offset is None:
            return None
        if read.vector is None:
            raise UserError(read.detail)
        return read

    def read_many(self, entities: Sequence[EntityName], at_ms: int) -> list[Reading]:
        """What is known of each of some entities at a moment (epoch ms), in their order.

        Raises:
            UserError: there is no such group.
        """
        groups = [self._registry.named(group) for group, _ in entities]
        return [
            reading(group, self._window, entity, at_ms, found)
            for group, (_, entity), found in zip(groups, entities, self._store.states(entities), strict=True)
        ]
