"""Words that answer times, and whether the window is whole."""

from typing import Any, Unpack

from twinstream.core.truncation import truncation
from twinstream.core.window import Window
from twinstream.declare.accumulators import Series
from twinstream.declare.aggregated import Aggregated
from twinstream.declare.decay import Decaying, decaying, duration_ms
from twinstream.declare.sources import Source
from twinstream.declare.words.common import About, Integers, integers, made


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


def decayed_count(half_life: str, **about: Unpack[About]) -> Aggregated[float]:
    """How many events there are, each of which counts half as much after every half-life (`30s`, `10m`, `1h`, `7d`).

    An answer adds up a number for each half-life that is in the window.

    >>> from twinstream.declare.examples import answer
    >>> answer(decayed_count("1m")), answer(decayed_count("30s", where=lambda sale: sale.refunded))
    (1.614276695296637, 0.03125)
    """
    meaning = f"Events in the window{{where}}, each counting half as much after every {half_life}."
    return _decayed("decayed_count", None, half_life, about, "events", meaning)


def decayed_sum(of: Integers, half_life: str, **about: Unpack[About]) -> Aggregated[float]:
    """The sum of integers, each of which counts half as much after every half-life; it costs as `decayed_count`.

    >>> from twinstream.declare.examples import Sale, answer
    >>> answer(decayed_sum(Sale.cents, "1m"))
    1327.0330085889912
    """
    meaning = (
        f"Sum of {{of}} over the events in the window{{where}}, each counting half as much after every {half_life}."
    )
    return _decayed("decayed_sum", integers(of, "decayed_sum"), half_life, about, "", meaning)


def truncated() -> Aggregated[bool]:
    """Whether events are missing, because there were more than one entity may retain (`MAX_EVENTS_PER_ENTITY`).

    >>> from twinstream.declare.examples import answer
    >>> answer(truncated())
    False
    """
    (feature,) = truncation.features
    return Aggregated("truncated", (), lambda window: window.truncated, bool, feature.unit, feature.meaning)


def _decayed(word: str, of: Source | None, half_life: str, about: About, unit: str, meaning: str) -> Aggregated[float]:
    def at(window: Window[Any], total: Decaying) -> float:
        return total.at(window.now_ms)

    kind = decaying(duration_ms(half_life))
    return made(word, (kind,), of, about, at, returns=float, unit=unit, meaning=meaning, timed=True)
