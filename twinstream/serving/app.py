"""The read API put together: which path is answered by what."""

import time
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from twinstream.addresses import bracketed
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.state import WindowConfig
from twinstream.definitions import load_registry
from twinstream.logging import configure_logging
from twinstream.online.contract import AsyncOnlineReader
from twinstream.online.redis.connection import async_reader
from twinstream.registry import Registry
from twinstream.serving.answers import Answer, Answers
from twinstream.serving.http import HTML, Application, Request, Response, Route
from twinstream.serving.metrics import ServingMetrics
from twinstream.serving.openapi import openapi
from twinstream.serving.page import POLICY, page
from twinstream.serving.questions import Question, of_body, of_url
from twinstream.serving.readiness import readiness
from twinstream.serving.service import FeatureService
from twinstream.settings import Settings

_encode = msgspec.json.Encoder().encode

_OF_THE_PAGE = {"content-security-policy": POLICY, "referrer-policy": "no-referrer"}


class Api:
    """The handlers of the API's routes.

    Args:
        store: who has the states.
        registry: the groups.
        settings: limits, and the windows that the states were written with.
    """

    def __init__(self, store: AsyncOnlineReader, registry: Registry, settings: Settings) -> None:
        self._store = store
        self._registry = registry
        self._settings = settings
        window = WindowConfig(settings.window_ms, settings.max_events_per_entity)
        self._service = FeatureService(store, registry, window, settings.serving_max_in_flight)
        self._metrics = ServingMetrics()
        description = openapi(registry, settings, _version())
        self._openapi = Response(msgspec.json.format(_encode(description)))
        self._docs = Response(page(description, _examples(registry, settings)), HTML, headers=_OF_THE_PAGE)
        self._catalog = Response(_encode({"groups": [_group_as_data(group, settings) for group in registry]}))

    def application(self) -> Application:
        """The routes as an ASGI application."""
        routes = [
            Route("POST", "/v1/features", self.many),
            Route("GET", "/v1/features/{group}/{entity}", self.one),
            Route("GET", "/v1/catalog", self.catalog),
            Route("GET", "/healthz", self.health),
            Route("GET", "/readyz", self.ready),
            Route("GET", "/metrics", self.metrics),
            Route("GET", "/openapi.json", self.openapi),
            Route("GET", "/docs", self.docs),
        ]
        return Application(routes, self._settings.serving_max_body_bytes, self._metrics.request, self._store.close)

    async def many(self, request: Request) -> Response:
        """Features of many entities."""
        body = await request.body()
        question = of_body(body, self._registry, now_ms(), self._settings.serving_max_entities)
        answers = await self._answers(question)
        return Response(_encode(Answers(at=question.at_ms, answers=answers)))

    async def one(self, request: Request) -> Response:
        """Features of one entity."""
        group, entity = request.parts
        question = of_url(group, entity, request.query, self._registry, now_ms())
        (answer,) = (await self._answers(question))[group]
        return Response(_encode(answer))

    async def catalog(self, request: Request) -> Response:
        """Every group and feature."""
        return self._catalog

    async def health(self, request: Request) -> Response:
        """The process lives."""
        return Response(b'{"alive":true}')

    async def ready(self, request: Request) -> Response:
        """The store answers, and how far behind it is."""
        found = await readiness(self._store, self._registry, self._settings, now_ms())
        return Response(_encode(found), status=HTTPStatus.OK if found.ready else HTTPStatus.SERVICE_UNAVAILABLE)

    async def metrics(self, request: Request) -> Response:
        """Numbers for Prometheus."""
        return Response(self._metrics.text(), CONTENT_TYPE_LATEST)

    async def openapi(self, request: Request) -> Response:
        """The API's description."""
        return self._openapi

    async def docs(self, request: Request) -> Response:
        """The API's description for a person."""
        return self._docs

    async def _answers(self, question: Question) -> dict[str, list[Answer]]:
        """The answers by group; a group that the question names without an entity has none."""
        by_group: dict[str, list[Answer]] = {group: [] for group in question.groups}
        for (group, _), each in zip(question.entities, await self._service.answers(question), strict=True):
            by_group[group].append(each)
        self._metrics.called(len(question.entities))
        for group, answers in by_group.items():
            self._metrics.served(group, answers)
        return by_group


def application(settings: Settings) -> Application:
    """The API of a process of its own, on the Redis and the definitions that the settings name."""
    configure_logging(settings.log_level)
    store = async_reader(settings, settings.serving_timeout_ms / 1_000)
    return Api(store, load_registry(settings.features), settings).application()


def now_ms() -> int:
    """The moment of a call that names none, epoch ms."""
    return time.time_ns() // 1_000_000


def _group_as_data(group: FeatureGroup, settings: Settings) -> dict[str, Any]:
    features = [
        {
            "name": feature.name,
            "type": feature.type,
            "nullable": feature.nullable,
            "unit": feature.unit,
            "meaning": feature.meaning,
        }
        for feature in group.features
    ]
    return {
        "name": group.name,
        "version": group.version,
        "topic": group.topic,
        "entity": group.entity,
        "window_ms": settings.window_ms,
        "features": features,
    }


def _examples(registry: Registry, settings: Settings) -> list[str]:
    """Command lines that work as they are, but for the entity's name."""
    group = next(iter(registry))
    here = f"http://{bracketed(settings.serving_host)}:{settings.serving_port}"
    body = _encode({"entities": {group.name: ["SOMEBODY"]}, "features": {group.name: group.names[:2]}}).decode()
    return [f"curl '{here}/v1/features/{group.name}/SOMEBODY'", f"curl '{here}/v1/features' -d '{body}'"]


def _version() -> str:
    """The engine's; where it runs from a checkout that nobody installed, 0."""
    try:
        return version("twinstream")
    except PackageNotFoundError:
        return "0"
