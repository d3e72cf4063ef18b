"""What an entity takes: bytes in Redis by the events in its window, and a worker's memory by the number of entities."""

import time
import uuid

from benchmarks.lab.contest import Contender, run
from benchmarks.lab.load import Load, Transactions, seed
from benchmarks.lab.report import Finding
from benchmarks.lab.services import Services
from features import transaction_features
from twinstream.log.memory import MemoryBroker, MemoryLog
from twinstream.loop.loop import Loop
from twinstream.online.contract import Partition
from twinstream.online.redis.connection import connect
from twinstream.online.redis.keys import Keys, features_key
from twinstream.registry import Registry
from twinstream.settings import load_settings

EVENTS_IN_WINDOW = (1, 10, 100, 1_000, 10_000)

OTHERS = 5_000
"""Entities with one event each, to make the index a large one."""


def bytes_per_entity(local: Services) -> Finding:
    """MEMORY USAGE of an entity's features and state, by the events in its window."""
    namespace = f"sizes{uuid.uuid4().hex[:8]}"
    settings = load_settings(redis_port=local.redis.port, consumer_group=namespace, log_level="WARNING")
    topic = transaction_features.topic
    now_ms = time.time_ns() // 1_000_000
    broker = MemoryBroker([topic], 1, now_ms=lambda: now_ms)
    make = Transactions()
    cards = {count: f"sized_{count}" for count in EVENTS_IN_WINDOW}
    moments = [(now_ms - number * 280_000 // count, card) for count, card in cards.items() for number in range(count)]
    moments += [(now_ms - number * 280_000 // OTHERS, f"other_{number:07d}") for number in range(OTHERS)]
    moments.sort()
    for time_ms, card in moments:
        broker.append(topic, 0, card.encode(), make.value(card, time_ms))
    loop = Loop(
        lambda *callbacks: MemoryLog(broker, [topic], *callbacks),
        connect(settings),
        settings,
        Registry([transaction_features]),
    )
    while not loop.caught_up():
        loop.cycle()
    keys = Keys.of(namespace, Partition(topic, 0, "transaction"))
    rows = []
    with local.redis.client() as client:
        for count, card in cards.items():
            features = client.memory_usage(features_key("transaction", card), samples=0)
            state = client.memory_usage(keys.state_prefix + card, samples=0)
            rows.append([f"{cell:,.0f}" for cell in (count, features, state, features + state, state / count)])
        index = client.memory_usage(keys.entities, samples=0) / client.zcard(keys.entities)
    return Finding(
        "Bytes in Redis",
        ("events in the window", "features", "state", "together", "state per event"),
        rows,
        f"`MEMORY USAGE` of one entity's keys. Its place in the index of the partition takes {index:.0f} bytes more.",
    )


def worker_memory(local: Services, entities: int) -> Finding:
    """Resident memory of a worker with a cache of 50 000 entities, by the entities that it has seen, all in Redis."""
    load = Load("many", entities, cards=0, spacing_ms=280_000 / entities)
    local.create_source(load.name)
    seed(local.kafka.servers, load.name, load, int(time.time() * 1000))
    outcome = run(local, Contender("", "whole_loop", load.name), entities // 10, entities)
    return Finding(
        "A worker's memory",
        ("entities seen", "in memory", "RSS MB"),
        [[f"{seen:,}", f"{cached:,}", f"{rss / 1e6:.0f}"] for seen, cached, rss in outcome.more["memory"]],
        "With a cache of 50 000 entities, all entities within one window. Goal: bounded by the cache.",
    )
