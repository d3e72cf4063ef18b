"""The class that a user declares a group of features with."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from twinstream.core import feature_group
from twinstream.core.event import RetainedEvent
from twinstream.core.feature_group import Decode, Family, Scoring
from twinstream.core.window import Window
from twinstream.declare.aggregated import Aggregated
from twinstream.declare.compiling import compiled, missing_arguments
from twinstream.declare.kept import DeclaredWindow


class FeatureGroup:
    """Features that are computed together from one topic's events, for one kind of entity: subclass it to declare them.

    Class attributes made with the words of the vocabulary are features; so are methods with `@feature`. A name with an
    underscore in front is kept for the methods, and is no feature. A class without `event` is a part that groups share:
    they have it as a base.

        class LoginFeatures(
            FeatureGroup, event=Login, topic="logins", entity=Login.account_id, time=Login.at, id=Login.login_id
        ):
            login_count = count()
            failed_count = count(where=lambda login: not login.success)

            @feature(unit="ratio")
            def failure_rate(self) -> float | None:
                '''Share of the sign-ins that failed.'''
                return self.failed_count / self.login_count if self.login_count else None

    Args of a subclass:
        event: the record on the topic.
        topic: the source topic.
        entity: the event's field that identifies the entity, an `Id`.
        time, id: the fields that say when it happened, a `Timestamp`, and that tell it from others, an `Id`.
        name: of the group; by default the class's, without `Features` and as `snake_case`.
        version: of the definitions; raise it when the meaning of a feature changes.
        scoring: the feature that can be evaluated, if one can.

    Called, it makes a group of functions that are written by hand (`twinstream.core.feature_group`).

    Attributes:
        window: in methods, the window that the features are of: `now_ms`, `size_ms`, `count`.
    """

    window: DeclaredWindow
    _answers: ClassVar[dict[Aggregated[Any], Callable[[DeclaredWindow], Any]]] = {}
    _definition: ClassVar[feature_group.FeatureGroup | None] = None

    def __init_subclass__(
        cls,
        *,
        event: type[msgspec.Struct] | None = None,
        topic: str = "",
        entity: str | None = None,
        time: int | datetime | None = None,
        id: str | None = None,
        name: str | None = None,
        version: int = 1,
        scoring: Scoring | None = None,
    ) -> None:
        super().__init_subclass__()
        cls._definition = None
        if event is None:
            missing_arguments(cls, topic=topic, entity=entity, time=time, id=id)
            return
        cls._definition = compiled(
            cls,
            event=event,
            topic=topic,
            entity=entity,
            time=time,
            id=id,
            name=name,
            version=version,
            scoring=scoring,
        )

    def __new__(  # type: ignore[misc] # what is written by hand is no class but an object, and of the core
        cls,
        *,
        name: str,
        version: int,
        topic: str,
        entity: str,
        time: str,
        id: str,
        wire_type: type[msgspec.Struct],
        event_type: type[RetainedEvent],
        decode: Decode,
        window: Callable[[int], Window[Any]],
        families: Sequence[Family[Any]],
        scoring: Scoring | None = None,
    ) -> feature_group.FeatureGroup:
        """The group of features that are written by hand; see there."""
        return feature_group.FeatureGroup(
            name=name,
            version=version,
            topic=topic,
            entity=entity,
            time=time,
            id=id,
            wire_type=wire_type,
            event_type=event_type,
            decode=decode,
            window=window,
            families=families,
            scoring=scoring,
        )


def definition_of(value: object) -> feature_group.FeatureGroup | None:
    """The group that the engine runs: of a class that declares one, or the object itself; None of anything else."""
    if isinstance(value, feature_group.FeatureGroup):
        return value
    if isinstance(value, type) and issubclass(value, FeatureGroup):
        return value._definition
    return None
