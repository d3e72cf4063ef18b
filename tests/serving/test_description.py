"""The API's description: made from the catalog, and true of what is answered; and a page of it for a person."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.features.events import MIDDAY_MS
from tests.reference import GROUPS, REGISTRY
from tests.serving.calls import call
from twinstream.core.feature_group import Family
from twinstream.core.window import Window
from twinstream.online.contract import Partition
from twinstream.online.memory import AsyncMemoryReader, MemoryDatabase, MemoryStore
from twinstream.registry import Registry
from twinstream.serving.app import Api
from twinstream.serving.http import Application
from twinstream.settings import Settings

Make = Callable[..., Application]


def described(application: Application) -> dict[str, Any]:
    answered = call(application, "GET", "/openapi.json")
    assert answered.status == 200
    return answered.data  # type: ignore[no-any-return]


def of(description: dict[str, Any], name: str) -> Draft202012Validator:
    """Judges data by one of the description's schemas."""
    return Draft202012Validator(description | {"$ref": f"#/components/schemas/{name}"})


def test_it_is_valid(api: Make) -> None:
    OpenAPIV31SpecValidator(described(api())).validate()


def test_every_feature_has_its_type_unit_and_meaning(api: Make) -> None:
    schemas = described(api())["components"]["schemas"]

    for group in REGISTRY:
        features = schemas[f"{group.name.title()}Features"]["properties"]
        assert list(features) == list(group.names)
        assert all(feature.meaning in features[feature.name]["description"] for feature in group.features)
    transaction = schemas["TransactionFeatures"]["properties"]
    assert transaction["txn_count"]["type"] == "integer"
    assert transaction["txn_count"]["description"].endswith("Unit: events.")
    assert transaction["amount_mean"]["type"] == ["number", "null"]
    assert transaction["window_truncated"]["type"] == "boolean"
    assert transaction["risk_reasons"] == {
        "type": "array",
        "items": {"type": "string"},
        "description": transaction["risk_reasons"]["description"],
    }


@pytest.mark.usefixtures("cards", "full_card")
def test_every_kind_of_answer_is_as_described(api: Make, database: MemoryDatabase) -> None:
    description = described(api())
    del database.partitions["twinstream", Partition("transactions", 0, "transaction")].entities["card_2"]
    entities = {"transaction": ["card_1", "card_2", "full", "nobody"], "order": ["user_1"]}

    for at in (MIDDAY_MS, MIDDAY_MS - 900_000):
        body = {"entities": entities, "at": at, "features": {"order": ["txn_count"]}}
        assert not list(of(description, "FeaturesRequest").iter_errors(body))
        answered = call(api(), "POST", "/v1/features", body).data
        assert not list(of(description, "FeaturesResponse").iter_errors(answered))
        one = call(api(), "GET", "/v1/features/transaction/full", query=f"at={at}").data
        assert not list(of(description, "TransactionAnswer").iter_errors(one))


@pytest.mark.parametrize("body", [{}, {"entities": {"shop": []}}, {"entities": {}, "features": {"order": ["x"]}}, []])
def test_a_body_that_is_refused_is_not_as_described(api: Make, body: Any) -> None:
    description = described(api())

    answered = call(api(), "POST", "/v1/features", body)

    assert list(of(description, "FeaturesRequest").iter_errors(body))
    assert not list(of(description, "Error").iter_errors(answered.data))


def test_every_route_is_described(api: Make) -> None:
    application = api()
    paths = described(application)["paths"]

    for route in application.routes:
        path = route.path.replace("{group}", "transaction")
        assert route.method.lower() in paths[path], path


def test_the_catalog_has_every_feature(api: Make) -> None:
    answered = call(api(), "GET", "/v1/catalog").data

    assert [group["name"] for group in answered["groups"]] == list(REGISTRY.names)
    transaction = answered["groups"][0]
    assert {name: transaction[name] for name in ("topic", "entity", "window_ms")} == {
        "topic": "transactions",
        "entity": "card_id",
        "window_ms": 300_000,
    }
    assert [each["name"] for each in transaction["features"]] == list(GROUPS["transaction"].names)
    assert transaction["features"][0].keys() == {"name", "type", "nullable", "unit", "meaning"}


def test_the_page_needs_nothing_from_elsewhere_and_runs_no_script(api: Make) -> None:
    answered = call(api(), "GET", "/docs")

    page = answered.body.decode()
    assert answered.headers["content-type"] == "text/html; charset=utf-8"
    assert answered.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert not re.search(r"<script|<img|<link|@import|url\(|\bsrc=|https?://(?!127\.0\.0\.1)", page)
    for path in described(api())["paths"]:
        assert path in page
    for feature in GROUPS["transaction"].features:
        assert feature.name in page


def test_what_definitions_say_is_text_on_the_page() -> None:
    nasty: Family[Window[Any]] = Family("nasty")

    @nasty.feature(unit="<b>", meaning="<script>alert(1)</script>")
    def count(window: Window[Any]) -> int:
        return window.count

    registry = Registry([GROUPS["order"].with_features(nasty.features)])
    store = AsyncMemoryReader(MemoryStore(MemoryDatabase(), "twinstream"))

    page = call(Api(store, registry, Settings()).application(), "GET", "/docs").body.decode()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert "<b>" not in page
