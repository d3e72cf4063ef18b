"""What is served is what the log says: every feature, at any moment, of every entity, and never half of a change."""

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest
import redis

from deploy.local import LocalRedis
from tests.features.events import MIDDAY_MS, payment
from tests.loop.logs import SPAN_MS, mixed_messages
from tests.loop.outputs import SETTINGS
from tests.online.worker import TRANSACTION, WINDOW, Worker, change
from tests.oracle.naive import NaiveState
from tests.oracle.plays import same
from tests.reference import REGISTRY
from tests.serving.service import Service
from twinstream.core.state import EntityState
from twinstream.online.reader import Status, reading
from twinstream.online.redis.async_reader import AsyncRedisReader
from twinstream.online.redis.store import RedisStore
from twinstream.testing import START_MS, Driver

CALLS, ENTITIES_IN_A_CALL = 60, 40
PARTITIONS = 3
WINDOW_MS = SETTINGS["window_size_minutes"] * 60_000
LATENESS_MS = SETTINGS["allowed_lateness_seconds"] * 1_000


class History(NamedTuple):
    """What a log says of an entity: its accepted events by brute force, and the newest event time of its partition."""

    naive: NaiveState
    partition_newest_ms: int


@pytest.fixture(scope="module")
def computed(redis_server: LocalRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Driver, Service]]:
    """A log of all that can happen, computed by the loop into a real Redis, and a service over it."""
    with redis_server.client() as client:
        client.flushall()
        driver = Driver(REGISTRY, partitions=PARTITIONS, store=RedisStore(client, "exact", "there"), **SETTINGS)
        messages = mixed_messages(4_000, end_ms=START_MS)
        for number, (topic, message, _) in enumerate(messages):
            driver.now_ms = START_MS - SPAN_MS * (len(messages) - number) // len(messages) + 2_000
            key = (message.key or "").encode()
            driver.broker.append(topic, sum(key) % PARTITIONS, key, message.value)
        driver.run()
        settings = SETTINGS | {"consumer_group": "exact", "redis_host": "127.0.0.1", "redis_port": redis_server.port}
        serving = Service((), settings, tmp_path_factory.mktemp("service") / "service.log").until_up()
        yield driver, serving
        serving.kill()


@pytest.fixture(scope="module")
def histories(computed: tuple[Driver, Service]) -> dict[tuple[str, str], History]:
    """By group and entity, from the feature log and the source log alone."""
    driver, _ = computed
    events: dict[tuple[str, str], list[Any]] = defaultdict(list)
    places: dict[tuple[str, str], tuple[str, int]] = {}
    newest: Counter[tuple[str, int]] = Counter()
    for group in REGISTRY:
        sources = {(each.partition, each.offset): each.value for each in driver.broker.records(group.topic)}
        for record in driver.feature_records(group.name):
            entity, event = group.decode(sources[record.partition, record.offset], record.offset)
            name, place = (group.name, entity), (group.topic, record.partition)
            assert places.setdefault(name, place) == place, "an entity is in one partition"
            events[name].append(event)
            newest[place] = max(newest[place], event.time_ms)
    found = {}
    for name, accepted in events.items():
        naive = NaiveState(name[0], WINDOW_MS)
        naive.events = sorted(accepted, key=lambda event: (event.time_ms, event.offset))
        found[name] = History(naive, newest[places[name]])
    return found


def test_random_reads_equal_a_naive_recomputation_of_the_log(
    computed: tuple[Driver, Service], histories: dict[tuple[str, str], History]
) -> None:
    _, serving = computed
    random = Random(16)
    names = sorted(histories)
    end_ms = max(each.partition_newest_ms for each in histories.values())
    statuses: Counter[str] = Counter()
    for _ in range(CALLS):
        at_ms = random.randint(end_ms - 2 * LATENESS_MS, end_ms + 2 * WINDOW_MS)
        asked: dict[str, list[str]] = defaultdict(list)
        for group, entity in random.sample(names, ENTITIES_IN_A_CALL):
            asked[group].append(entity)
        answered = serving.call("POST", "/v1/features", {"entities": asked, "at": at_ms}).data["answers"]
        for group, entities in asked.items():
            for entity, answer in zip(entities, answered[group], strict=True):
                assert answer["entity"] == entity
                statuses[answer["status"]] += 1
                check(answer, histories[group, entity], at_ms)
    assert statuses["present"] > CALLS * ENTITIES_IN_A_CALL / 4, statuses
    assert statuses.keys() == {"present", "absent", "too_old"}


def check(answer: dict[str, Any], history: History, at_ms: int) -> None:
    """Compare an answer with the history; one without features has to have a reason."""
    naive, partition_newest_ms = history
    if answer["status"] == "too_old":
        assert at_ms < partition_newest_ms - LATENESS_MS, "a later moment could be read exactly"
    elif answer["status"] == "absent":
        assert naive.newest_ms <= partition_newest_ms - WINDOW_MS, "it has not been idle for a window"
    else:
        expected = naive.vector_at(at_ms)
        features = answer["features"]
        assert features.keys() == expected.keys()
        wrong = {
            name: (features[name], value) for name, value in expected.items() if not same_in_json(features[name], value)
        }
        assert not wrong, (answer["entity"], at_ms)
        assert answer["event_time"] == naive.newest_ms


def same_in_json(actual: Any, expected: Any) -> bool:
    """Equal as JSON has it: tuples are lists."""
    return same(tuple(actual) if isinstance(actual, list) else actual, expected)


def test_at_its_newest_event_an_entity_is_served_as_redis_shows_it(
    computed: tuple[Driver, Service], histories: dict[tuple[str, str], History]
) -> None:
    driver, serving = computed
    compared = 0
    for group, entity in Random(17).sample(sorted(histories), 200):
        shown = driver.features(group, entity)
        if not shown:
            continue
        answer = serving.call("GET", f"/v1/features/{group}/{entity}?at={shown['event_time']}").data
        if answer["status"] == "too_old":
            continue  # its partition has gone on without it
        compared += 1
        assert answer["made_from"]["offset"] == int(shown["offset"])
        assert {name: as_redis_has_it(value) for name, value in answer["features"].items()} == {
            name: shown[name] for name in answer["features"]
        }
    assert compared > 20


def as_redis_has_it(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else msgspec.json.encode(value).decode()


def test_no_reader_sees_half_of_a_write(redis_server: LocalRedis, redis_client: redis.Redis) -> None:
    """The card's first payment has offset 0: an answer of offset n has n + 1 payments, and no later one has fewer."""
    worker = Worker(RedisStore(redis_client, "torn", "there"))
    enough = threading.Event()

    def write() -> None:
        state, offset = EntityState(TRANSACTION, WINDOW), 0
        while not enough.is_set():
            worker.write(change("card", state, payment(MIDDAY_MS + offset, offset)))
            offset += 1

    async def read() -> None:
        reader = AsyncRedisReader(f"redis://127.0.0.1:{redis_server.port}/0", "torn", "there", timeout_s=60)
        seen = [-1]
        while len(set(seen)) < 100:
            for found in await reader.states([("transaction", "card")] * 3):
                answer = reading(TRANSACTION, WINDOW, "card", MIDDAY_MS + WINDOW.size_ms - 1, found)
                if answer.status is Status.ABSENT:
                    continue
                assert answer.status is Status.PRESENT
                assert answer.vector is not None
                assert answer.offset is not None
                assert answer.vector.txn_count == answer.offset + 1  # type: ignore[attr-defined]
                assert answer.offset >= seen[-1]
                seen.append(answer.offset)
        await reader.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        asyncio.run(read())
    finally:
        enough.set()
        writer.join()
