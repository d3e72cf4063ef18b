"""What the three reference groups made of a fixed log before the engine became a package, and make of it today.

The digests were recorded once; a change of structure must leave them as they are. A change that means to change the
results says so where it records them anew: `python -m tests.oracle.test_recorded_outputs`.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import redis

from tests.loop.logs import SPAN_MS, mixed_messages
from tests.loop.outputs import SETTINGS
from twinstream.online.contract import OnlineStore
from twinstream.online.redis.store import RedisStore
from twinstream.testing import START_MS, Driver

RECORDED = Path(__file__).with_name("recorded_outputs.json")
PARTITIONS = 3


def digests(store: OnlineStore | None = None) -> dict[str, Any]:
    """For each topic of results the number of its records and the digest of their bytes; likewise of all features."""
    driver = Driver(partitions=PARTITIONS, store=store, **SETTINGS)
    messages = mixed_messages(6_000, end_ms=START_MS)
    for number, (topic, message, _) in enumerate(messages):
        driver.now_ms = START_MS - SPAN_MS * (len(messages) - number) // len(messages) + 2_000
        key = (message.key or "").encode()
        driver.broker.append(topic, sum(key) % PARTITIONS, key, message.value)
    driver.run()
    results: dict[str, Any] = {}
    hashes = {}
    for name, rows in driver.outputs().items():
        if isinstance(rows, dict):
            hashes[name] = {field.decode(): value.decode() for field, value in sorted(rows.items())}
        else:
            results[name] = [len(rows), digest(rows)]
    return results | {"features:*": [len(hashes), digest(sorted(hashes.items()))]}


def digest(rows: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()


def test_the_reference_groups_give_the_bytes_that_were_recorded() -> None:
    assert digests() == json.loads(RECORDED.read_text())


def test_redis_has_the_same_bytes(redis_client: redis.Redis) -> None:
    assert digests(RedisStore(redis_client, "twinstream", "there")) == json.loads(RECORDED.read_text())


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(digests(), indent=1) + "\n")
