"""What an entity takes: bytes in Redis by the events in its window, and a worker's memory by the number of entities."""

import time
import uuid

from rich.table import Table

from benchmarks.lab.contest import Contender, run
from benchmarks.lab.load import Load, Transactions, seed
from benchmarks.lab.services import Services
from features.groups import GROUPS
from flink.loop import Loop
from runtime.memory_log import MemoryBroker, MemoryLog
from runtime.settings import load_settings
from store.connecting import connect
from store.keys import Keys, Partition, features_key

EVENTS_IN_WINDOW = (1, 10, 100, 1_000, 10_000)


def bytes_per_entity(local: Services) -> Table:
    """MEMORY USAGE of an entity's features and state, by the events in its window."""
    namespace = f"sizes{uuid.uuid4().hex[:8]}"
    settings = load_settings(redis_port=local.redis.port, consumer_group=namespace, log_level="WARNING")
    topic = GROUPS["transaction"].topic
    now_ms = time.time_ns() // 1_000_000
    broker = MemoryBroker([topic], 1, now_ms=lambda: now_ms)
    make = Transactions()
    cards = {count: f"sized_{count}" for count in EVENTS_IN_WINDOW}
    moments = sorted(
        (now_ms - number * 280_000 // count, card) for count, card in cards.items() for number in range(count)
    )
    for time_ms, card in moments:
        broker.append(topic, 0, card.encode(), make.value(card, time_ms))
    loop = Loop(lambda *callbacks: MemoryLog(broker, [topic], *callbacks), connect(settings), settings)
    while not loop.caught_up():
        loop.cycle()
    keys = Keys.of(namespace, Partition(topic, 0, "transaction"))
    table = Table("events in window", "features", "state", "together", "state per event", title="Bytes in Redis")
    with local.redis.client() as client:
        for count, card in cards.items():
            features = client.memory_usage(features_key("transaction", card), samples=0)
            state = client.memory_usage(keys.state_prefix + card, samples=0)
            table.add_row(*(f"{cell:,.0f}" for cell in (count, features, state, features + state, state / count)))
    table.caption = "and about 130 bytes per entity in the index of its partition"
    return table


def worker_memory(local: Services, entities: int) -> Table:
    """Resident memory of a worker with a cache of 50 000 entities, by the entities that it has seen, all in Redis."""
    load = Load("many", entities, cards=0, spacing_ms=280_000 / entities)
    local.create_source(load.name)
    seed(local.kafka.servers, load.name, load, int(time.time() * 1000))
    outcome = run(local, Contender("", "twinstream", load.name), entities // 10, entities)
    table = Table("entities seen", "in memory", "RSS MB", title="A worker's memory, cache of 50 000 entities")
    for seen, cached, rss in outcome.more["memory"]:
        table.add_row(f"{seen:,}", f"{cached:,}", f"{rss / 1e6:.0f}")
    return table
