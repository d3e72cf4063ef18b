"""Words that answer times, and whether the window is whole."""

from typing import Any, Unpack

from twinstream.core.truncation import truncation
from twinstream.core.window import Window
from twinstream.declare.accumulators import Series
from twinstream.declare.aggregated import Aggregated
from twinstream.declare.words.common import About, made


def since_previous(**about: Unpack[About]) -> Aggregated[float | None]:
    """Seconds from the event before the newest one to the newest; null with fewer than two.

    >>> from twinstream.declare.examples import answer
    >>> answer(since_previous()), answer(since_previous(where=lambda sale: sale.item == "tea"))
    (120.0, 90.0)
    """

    def seconds(window: Window[Any], times: Series) -> float | None:
        values = times.values
        return (values[-1] - values[-2]) / 1000 if len(values) > 1 else None

    meaning = "From the event before the newest one in the window{where} to the newest; null with fewer than two."
    return made("since_previous", (Series,), None, about, seconds, returns=float | None, unit="s", meaning=meaning)


def since_first(**about: Unpack[About]) -> Aggregated[float | None]:
    """Seconds from the oldest event to the newest; 0 for a single one, null without any.

    >>> from twinstream.declare.examples import answer
    >>> answer(since_first()), answer(since_first(where=lambda sale: sale.refunded))
    (240.0, 0.0)
    """

    def seconds(window: Window[Any], times: Series) -> float | None:
        values = times.values
        return (values[-1] - values[0]) / 1000 if values else None

    meaning = "From the oldest event in the window{where} to the newest; null without any."
    return made("since_first", (Series,), None, about, seconds, returns=float | None, unit="s", meaning=meaning)


def since_last(**about: Unpack[About]) -> Aggregated[float | None]:
    """Seconds from the newest event to the moment that is asked for; null without any.

    At an event that counts it is 0; with `where=` it is the time since the last event that meets the condition.

    >>> from twinstream.declare.examples import answer
    >>> answer(since_last()), answer(since_last(where=lambda sale: sale.refunded))
    (0.0, 150.0)
    """

    def seconds(window: Window[Any], times: Series) -> float | None:
        return (window.now_ms - times.values[-1]) / 1000 if times.values else None

    meaning = "From the newest event in the window{where} to the moment asked for; null without any."
    return made("since_last", (Series,), None, about, seconds, returns=float | None, unit="s", meaning=meaning)


def truncated() -> Aggregated[bool]:
    """Whether events are missing, because there were more than one entity may retain (`MAX_EVENTS_PER_ENTITY`).

    >>> from twinstream.declare.examples import answer
    >>> answer(truncated())
    False
    """
    (feature,) = truncation.features
    return Aggregated("truncated", (), lambda window: window.truncated, bool, feature.unit, feature.meaning)
