"""What is refused: a status, a kind for programs, and one sentence for a person."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import tries
from tests.reference import REGISTRY
from tests.serving.calls import asked, call
from twinstream.logging import configure_logging
from twinstream.online.contract import EntityName, Found
from twinstream.online.memory import AsyncMemoryReader, MemoryDatabase, MemoryStore
from twinstream.online.store_errors import StoreUnavailable
from twinstream.serving.app import Api
from twinstream.serving.http import Application
from twinstream.settings import Settings

Make = Callable[..., Application]

ONE = {"entities": {"transaction": ["card_1"]}}

BODIES: dict[str, tuple[Any, int, str, str]] = {
    "no JSON": (b"{", 400, "malformed", "The body is not JSON"),
    "nothing": (b"", 400, "malformed", "The body is not JSON"),
    "no UTF-8": (b'{"entities":{"transaction":["\xff"]}}', 400, "malformed", "The body is not JSON"),
    "half a character": (rb'{"entities":{"transaction":["\ud800"]}}', 400, "malformed", "The body is not JSON"),
    "no object": (["card_1"], 422, "wrong_body", "Expected `object`, got `array`"),
    "no entities": ({}, 422, "wrong_body", "missing required field `entities`"),
    "an unknown field": (ONE | {"enttities": 1}, 422, "wrong_body", "unknown field `enttities`"),
    "an entity that is no text": (
        {"entities": {"transaction": [7]}}, 422, "wrong_body", "Expected `str`, got `int` - at `$.entities[...][0]`",
    ),
    "an unknown group": ({"entities": {"shop": ["a"]}}, 422, "unknown_group", "There is no group 'shop'. Choose from"),
    "an unknown group without entities": ({"entities": {"shop": []}}, 422, "unknown_group", "There is no group 'shop'"),
    "features of an unknown group": (
        ONE | {"features": {"shop": []}}, 422, "unknown_group", "There is no group 'shop'",
    ),
    "an unknown feature": (
        ONE | {"features": {"transaction": ["txn_cuont"]}}, 422, "unknown_feature",
        "The group 'transaction' has no feature 'txn_cuont'. GET /v1/catalog lists them.",
    ),
    "features without entities": (
        ONE | {"features": {"order": ["txn_count"]}}, 422, "wrong_body",
        "Features of the group 'order' are named, but no entities of it.",
    ),
    "a moment in words": (ONE | {"at": "noon"}, 422, "wrong_moment", "'noon' is no time"),
    "a moment without a zone": (ONE | {"at": "2026-03-02T12:00:00"}, 422, "wrong_moment", "is no time"),
    "a moment in seconds": (ONE | {"at": 1_772_452_800}, 422, "wrong_moment", "'1772452800' is no time"),
    "a moment before time": (ONE | {"at": -1}, 422, "wrong_moment", "'-1' is no time"),
    "a moment that is no number of ms": (ONE | {"at": 1.5}, 422, "wrong_body", "Expected `int | str | null`"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "status", "error", "message"), BODIES.values(), ids=BODIES)
def test_a_body_that_cannot_be_answered_is_refused(api: Make, body: Any, status: int, error: str, message: str) -> None:
    answered = call(api(), "POST", "/v1/features", body)

    assert (answered.status, answered.error) == (status, error)
    assert message in answered.data["message"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
names = st.sampled_from([*REGISTRY.names, "shop"]) | st.text()
almost_right = st.fixed_dictionaries(
    {"entities": st.dictionaries(names, st.lists(st.text(), max_size=3) | anything, max_size=3)},
    optional={
        "at": st.integers() | st.datetimes().map(str) | anything,
        "features": st.dictionaries(names, st.lists(st.sampled_from(["txn_count", "x"]) | st.text()) | anything),
    },
)


@tries(300)
@given(body=anything | almost_right | st.binary())
def test_no_body_is_a_fault_of_the_service(api: Make, body: Any) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    assert call(api(), "POST", "/v1/features", content).status in (200, 400, 422)


@tries(200)
@given(path=st.text(), query=st.text(alphabet=st.characters(max_codepoint=255)), entity=st.text(min_size=1))
def test_no_url_is_a_fault_of_the_service(api: Make, path: str, query: str, entity: str) -> None:
    assert call(api(), "GET", f"/{path}").status < 500 or path == "readyz"
    assert call(api(), "GET", f"/v1/features/order/{entity}", query=query).status in (200, 422)


URLS: dict[str, tuple[str, str, str, int, str]] = {
    "nothing there": ("GET", "/v2", "", 404, "no_such_path"),
    "no entity": ("GET", "/v1/features/transaction/", "", 404, "no_such_path"),
    "no group": ("GET", "/v1/features/transaction", "", 404, "no_such_path"),
    "an unknown group": ("GET", "/v1/features/shop/a", "", 404, "unknown_group"),
    "another method": ("GET", "/v1/features", "", 405, "wrong_method"),
    "another method with an entity": ("DELETE", "/v1/features/transaction/a", "", 405, "wrong_method"),
    "an unknown parameter": ("GET", "/v1/features/transaction/a", "when=1", 422, "wrong_parameter"),
    "an unknown feature": ("GET", "/v1/features/transaction/a", "features=x", 422, "unknown_feature"),
    "no moment": ("GET", "/v1/features/transaction/a", "at=", 422, "wrong_moment"),
}


@pytest.mark.parametrize(("method", "path", "query", "status", "error"), URLS.values(), ids=URLS)
def test_a_url_that_cannot_be_answered_is_refused(
    api: Make, method: str, path: str, query: str, status: int, error: str
) -> None:
    answered = call(api(), method, path, query=query)

    assert (answered.status, answered.error) == (status, error)


def test_another_method_is_told_the_one_that_is_meant(api: Make) -> None:
    assert call(api(), "PUT", "/v1/features").headers["allow"] == "POST"


def test_a_head_request_has_the_headers_of_get_and_no_body(api: Make) -> None:
    got, head = call(api(), "GET", "/docs"), call(api(), "HEAD", "/docs")

    assert head == got._replace(body=b"")


def test_more_entities_than_are_answered_at_once_are_refused_before_the_store_is_asked(
    api: Make, database: MemoryDatabase
) -> None:
    calls: list[str] = []
    database.before_call = calls.append
    application = api(serving_max_entities=3)

    fits = call(application, "POST", "/v1/features", {"entities": {"transaction": ["a", "b"], "order": ["c"]}})
    beyond = call(application, "POST", "/v1/features", {"entities": {"transaction": ["a", "b"], "order": ["c", "d"]}})

    assert fits.status == 200
    assert (beyond.status, beyond.error) == (422, "too_many_entities")
    assert "4 entities, and at most 3" in beyond.data["message"]
    assert calls == ["states"]


@pytest.mark.parametrize("pieces", [1, 7])
def test_a_body_that_is_too_large_is_refused_while_it_arrives(api: Make, pieces: int) -> None:
    application = api(serving_max_body_bytes=100)
    body = {"entities": {"transaction": ["x" * 100]}}

    answered = asyncio.run(asked(application, "POST", "/v1/features", body, pieces=pieces))

    assert (answered.status, answered.error) == (413, "body_too_large")
    assert "more than 100 bytes" in answered.data["message"]
    assert answered.headers["connection"] == "close"


def test_a_body_in_pieces_is_one_body(api: Make) -> None:
    whole = asyncio.run(asked(api(), "POST", "/v1/features", ONE | {"at": 1_772_452_800_000}))
    in_pieces = asyncio.run(asked(api(), "POST", "/v1/features", ONE | {"at": 1_772_452_800_000}, pieces=9))

    assert in_pieces == whole
    assert whole.status == 200


def test_a_store_that_is_away_is_a_503_that_says_when_to_try_again(api: Make, database: MemoryDatabase) -> None:
    def away(name: str) -> None:
        raise StoreUnavailable("Redis does not answer at redis://there:1/0 (nothing listens there)")

    database.before_call = away

    application = api()
    for method, path, body in (
        ("POST", "/v1/features", ONE),
        ("GET", "/v1/features/order/user_1", b""),
        ("GET", "/readyz", b""),
    ):
        answered = call(application, method, path, body)
        assert (answered.status, answered.error) == (503, "store_unavailable")
        assert answered.headers["retry-after"] == "1"
    assert call(application, "GET", "/healthz").status == 200


def test_a_fault_of_the_service_is_logged_and_not_told(
    api: Make, database: MemoryDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging()

    def fault(name: str) -> None:
        raise ZeroDivisionError("a secret")

    database.before_call = fault

    answered = call(api(), "POST", "/v1/features", ONE)

    assert (answered.status, answered.error) == (500, "fault")
    assert answered.data["message"] == "The service has a fault. Its log says which."
    assert "ZeroDivisionError: a secret" in capsys.readouterr().err


class SlowStore(AsyncMemoryReader):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(MemoryDatabase(), "twinstream"))
        self.waiting = 0
        self.may_answer = asyncio.Event()

    async def states(self, entities: Sequence[EntityName]) -> list[Found | None]:
        self.waiting += 1
        await self.may_answer.wait()
        return await super().states(entities)


def test_more_calls_than_may_be_under_way_are_refused_at_once_and_then_answered_again() -> None:
    async def story() -> tuple[list[int], str, int]:
        store = SlowStore()
        application = Api(store, REGISTRY, Settings(serving_max_in_flight=2)).application()
        first = [asyncio.create_task(asked(application, "POST", "/v1/features", ONE)) for _ in range(2)]
        while store.waiting < 2:
            await asyncio.sleep(0)
        refused = await asked(application, "POST", "/v1/features", ONE)
        alive = await asked(application, "GET", "/healthz")
        assert alive.status == 200
        store.may_answer.set()
        done = [each.status for each in await asyncio.gather(*first)]
        later = await asked(application, "POST", "/v1/features", ONE)
        assert refused.status == 503
        return done, refused.error, later.status

    assert asyncio.run(story()) == ([200, 200], "overloaded", 200)
