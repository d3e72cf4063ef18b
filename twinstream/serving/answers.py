"""What is answered: an entity's features and what they were made from, as they stand in JSON."""

from collections.abc import Sequence
from typing import Any

import msgspec

from twinstream.online.reader import Reading


class MadeFrom(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """All that decides an answer's features: who has the log and the definitions can make them again.

    Attributes:
        group, version: whose definitions, and which of them.
        epoch: of the state: the source topic's life, the form of the retained events, and the rules of the window.
        topic, partition, offset: the newest record applied to the entity.
        at: the moment, epoch ms.
    """

    group: str
    version: int
    epoch: str | None
    topic: str
    partition: int
    offset: int
    at: int


class Answer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is known of an entity at a moment.

    Attributes:
        entity: whom it is about.
        status: see `twinstream.online.reader.Status`; `present` and `truncated` have features, the others none.
        features: by name, in the catalog's order or in that of the call; the bytes are those of the feature log.
        event_time: of the entity's newest event, epoch ms; it may be after the moment.
        age_ms: from that event to the moment; negative when it is after it.
        made_from: what decides the features; null when there is no state.
        detail: one sentence where there are no features; null otherwise.
    """

    entity: str
    status: str
    features: Any
    event_time: int | None
    age_ms: int | None
    made_from: MadeFrom | None
    detail: str | None


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an answer to `POST /v1/features`: the moment, and by group what is known of its entities."""

    at: int
    answers: dict[str, list[Answer]]


def answer(reading: Reading, features: Sequence[str] | None) -> Answer:
    """A reading with these features of it; all of them for None."""
    vector: Any = reading.vector
    if vector is not None and features is not None:
        vector = {name: getattr(vector, name) for name in features}
    event_time_ms = reading.event_time_ms
    return Answer(
        entity=reading.entity,
        status=reading.status.value,
        features=vector,
        event_time=event_time_ms,
        age_ms=None if event_time_ms is None else reading.at_ms - event_time_ms,
        made_from=_made_from(reading),
        detail=reading.detail or (None if vector is not None else f"{reading.entity} was never seen, or too long ago."),
    )


def _made_from(reading: Reading) -> MadeFrom | None:
    topic, partition, offset = reading.topic, reading.partition, reading.offset
    if topic is None or partition is None or offset is None:
        return None
    return MadeFrom(
        group=reading.group.name,
        version=reading.group.version,
        epoch=reading.epoch,
        topic=topic,
        partition=partition,
        offset=offset,
        at=reading.at_ms,
    )
