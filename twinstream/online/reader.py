"""Reading an entity's features at a moment: exact, also between its events and long after the last of them."""

from dataclasses import dataclass

import msgspec

from twinstream.core.rejection import Rejected
from twinstream.core.state import EntityState, StateUnreadable, WindowConfig
from twinstream.errors import UserError
from twinstream.online.contract import OnlineReader, Partition
from twinstream.registry import Registry
from twinstream.timestamps import iso


@dataclass(frozen=True, slots=True)
class Reading:
    """An entity's features at a moment.

    Attributes:
        group, entity: whose.
        at_ms: the moment, epoch ms.
        vector: the features, computed for that moment.
        event_time_ms: of the entity's newest event, which may be after the moment.
        topic, partition, offset: place of the newest record applied to the entity.
    """

    group: str
    entity: str
    at_ms: int
    vector: msgspec.Struct
    event_time_ms: int | None
    topic: str
    partition: int
    offset: int


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

    def state(self, group: str, entity: str) -> tuple[Partition, EntityState] | None:
        """An entity's state of now and where its events come from; None when it has none.

        Should it have states of two partitions, this is the one whose features are shown.

        Raises:
            UserError: there is no such group, or what is stored is of another version.
        """
        definition = self._registry.named(group)
        found = self._store.state(group, entity)
        if found is None:
            return None
        source, stored = found
        try:
            state = EntityState.load(definition, self._window, stored.head, stored.chunks)
        except StateUnreadable as fault:
            raise UserError(f"The state of {entity} cannot be read ({fault}). A running worker rebuilds it.") from None
        return source, state

    def read(self, group: str, entity: str, at_ms: int) -> Reading | None:
        """An entity's features exactly as of a moment (epoch ms), from what has arrived; None when it has no state.

        Raises:
            UserError: there is no such group, or events that the moment needs have been forgotten.
        """
        found = self.state(group, entity)
        if found is None:
            return None
        source, state = found
        try:
            vector = state.vector_at(at_ms)
        except ValueError:
            raise UserError(
                f"What {entity} was at {iso(at_ms)} is not kept any more. The earliest moment is "
                f"{iso(state.horizon_ms + self._window.size_ms)}."
            ) from None
        except Rejected as rejected:
            raise UserError(f"The features of {entity} at {iso(at_ms)} fail: {rejected.detail}.") from None
        return Reading(
            group=group,
            entity=entity,
            at_ms=at_ms,
            vector=vector,
            event_time_ms=state.newest_event_time_ms,
            topic=source.topic,
            partition=source.partition,
            offset=state.applied_offset,
        )
