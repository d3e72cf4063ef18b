"""The features of entities at a moment: one round trip to the store, and a bounded number of calls under way."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from twinstream.core.state import WindowConfig
from twinstream.online.contract import AsyncOnlineReader
from twinstream.online.reader import reading
from twinstream.registry import Registry
from twinstream.serving.answers import Answer, answer
from twinstream.serving.http import Refused
from twinstream.serving.questions import Question

ENTITIES_IN_A_ROW = 16
"""After so many, other calls get a turn: so a call of many entities does not hold up those of one."""


class FeatureService:
    """Answers questions for features.

    Args:
        store: who has the states.
        registry: the groups.
        window: size and bounds of the windows.
        max_in_flight: most calls under way at once; what is above it is refused rather than queued.
    """

    def __init__(self, store: AsyncOnlineReader, registry: Registry, window: WindowConfig, max_in_flight: int) -> None:
        self._store = store
        self._registry = registry
        self._window = window
        self._max_in_flight = max_in_flight
        self._in_flight = 0

    async def answers(self, question: Question) -> list[Answer]:
        """An answer for each entity of a question, in its order.

        Raises:
            Refused: too many calls are under way.
            StoreUnavailable: the store does not answer.
        """
        with self._one_more():
            answers: list[Answer] = []
            found = await self._store.states(question.entities)
            for number, ((group, entity), state) in enumerate(zip(question.entities, found, strict=True), 1):
                read = reading(self._registry.named(group), self._window, entity, question.at_ms, state)
                answers.append(answer(read, question.features.get(group)))
                if number % ENTITIES_IN_A_ROW == 0:
                    await asyncio.sleep(0)
            return answers

    @contextmanager
    def _one_more(self) -> Iterator[None]:
        if self._in_flight >= self._max_in_flight:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "overloaded",
                f"{self._max_in_flight} calls are under way already. Try again in a moment.",
                {"retry-after": "1"},
            )
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
