"""The online store, measured: `python -m benchmarks.store`.

Starts a Redis of its own and answers what a fenced write costs, beside writing the same without fences, and how much of
Redis' memory an entity takes.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from statistics import median

import redis
from rich.console import Console
from rich.table import Table

from deploy.local import LocalRedis, free_port
from features import transaction_features
from features.events import Payment
from twinstream.core.state import EntityState, WindowConfig
from twinstream.online.contract import Claim, EntityWrite, OnlineStore, Partition
from twinstream.online.redis.connection import connect
from twinstream.online.redis.pipelined import PipelinedClient
from twinstream.settings import load_settings

GROUP = transaction_features
ENTITIES = 500
BATCHES = 40
ROUNDS = 5
START_MS = 1_772_452_800_000
STEP_MS = 60_000
EVENTS = (1, 2, 5, 20, 200)

Write = Callable[[Claim, list[EntityWrite]], object]


def main() -> None:
    """Measure the store."""
    console = Console(width=120, highlight=False)
    with tempfile.TemporaryDirectory() as directory:
        server = LocalRedis(Path(directory), free_port())
        server.start()
        try:
            store = connect(load_settings(redis_host="127.0.0.1", redis_port=server.port))
            with server.client() as client:
                console.print(speed(store, client))
                console.print(memory(store, client))
        finally:
            server.kill()


def batches(events: int, step_ms: int) -> list[list[EntityWrite]]:
    """For each event of all the entities, the writes of one batch."""
    states = [EntityState(GROUP, WindowConfig(300_000)) for _ in range(ENTITIES)]
    return [[_write(states[card], card, number, step_ms) for card in range(ENTITIES)] for number in range(events)]


def speed(store: OnlineStore, client: redis.Redis) -> Table:
    """Microseconds per entity written, in batches of 500."""
    made = batches(BATCHES, STEP_MS)
    pipeline, pipe = client.pipeline(transaction=False), PipelinedClient(client, "the benchmark's Redis")

    def plain(_: Claim, writes: list[EntityWrite]) -> None:
        for write in writes:
            pipeline.hset(f"features:transaction:{write.entity}", mapping=dict(_fields(write)))
        pipeline.execute()

    def unfenced(_: Claim, writes: list[EntityWrite]) -> None:
        commands: list[tuple[str | bytes | int, ...]] = []
        for write in writes:
            chunks = [item for number, chunk in write.delta.changed.items() for item in (f"c{number}", chunk)]
            fields = chain.from_iterable(_fields(write))
            commands.append(("HSET", f"features:transaction:{write.entity}", *fields))
            commands.append(
                ("HSET", f"state:{write.entity}", "offset", write.offset, "head", write.delta.head, *chunks)
            )
        pipe.run(commands)

    table = Table("µs per entity", "elapsed", "client CPU", "Redis CPU", title=f"Writing {ENTITIES} entities at a time")
    contenders: dict[str, Write] = {
        "features only, no fence, redis-py's pipeline": plain,
        "features and state, no fence": unfenced,
        "features, state and index, fenced": lambda claim, writes: store.write([(claim, writes)]),
    }
    for name, write in contenders.items():
        rounds = [_measure(store, client, write, made) for _ in range(ROUNDS)]
        table.add_row(name, *(f"{median(column):.1f}" for column in zip(*rounds, strict=True)))
    return table


def memory(store: OnlineStore, client: redis.Redis) -> Table:
    """Bytes of Redis' memory per entity: features, state and index, keys included."""
    table = Table("events retained", "bytes per entity", title="Memory")
    made = batches(max(EVENTS), 1_000)
    for events in EVENTS:
        claim = _empty(store, client)
        before = client.info("memory")["used_memory"]
        for writes in made[:events]:
            store.write([(claim, writes)])
        taken = client.info("memory")["used_memory"] - before
        table.add_row(str(events), f"{taken / ENTITIES:,.0f}")
    return table


def _fields(write: EntityWrite) -> Iterator[tuple[str, bytes]]:
    return zip(write.names, write.lines.splitlines(), strict=True)


def _write(state: EntityState, card: int, number: int, step_ms: int) -> EntityWrite:
    base, offset, time_ms = state.applied_offset, number * ENTITIES + card, START_MS + number * step_ms
    event = Payment(
        time_ms=time_ms,
        offset=offset,
        id=f"txn_{offset:012d}",
        amount_minor=1234 + number,
        currency="USD",
        declined=False,
        merchant=f"merch_{offset % 5000:06d}",
        country="US",
        device=f"dev_{card:08d}",
        place=(40_123_456, -70_654_321),
    )
    state.insert(event, time_ms - 30_000)
    return EntityWrite.of(GROUP, f"card_{card:010d}", base, state)


def _measure(
    store: OnlineStore, client: redis.Redis, write: Write, made: list[list[EntityWrite]]
) -> tuple[float, float, float]:
    claim = _empty(store, client)
    started, own, its = time.perf_counter(), time.process_time(), _redis_cpu_s(client)
    for writes in made:
        write(claim, writes)
    spent = time.perf_counter() - started, time.process_time() - own, _redis_cpu_s(client) - its
    elapsed, client_cpu, redis_cpu = (seconds / (ENTITIES * len(made)) * 1e6 for seconds in spent)
    return elapsed, client_cpu, redis_cpu


def _empty(store: OnlineStore, client: redis.Redis) -> Claim:
    client.flushall()
    claim, _ = store.claim(Partition("transactions", 0, "transaction"), "4yNsPaLkSgS0b0Y3cQ1Zzg:1:300000-30000-50000")
    return claim


def _redis_cpu_s(client: redis.Redis) -> float:
    info = client.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"])


if __name__ == "__main__":
    main()
