"""One round trip: forgotten scripts, refusals, and connections with replies left in them."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.exceptions import ResponseError

from tests.features.events import MIDDAY_MS
from tests.online.worker import Worker, first
from twinstream.errors import UserError
from twinstream.online.redis.pipelined import PIECE_BYTES, PipelinedClient, Sent
from twinstream.online.redis.store import RedisBatchWrite, RedisStore
from twinstream.online.store_errors import StoreUnavailable


@pytest.fixture
def pipe(redis_client: redis.Redis) -> PipelinedClient:
    return PipelinedClient(redis_client, "the Redis of the tests")


def test_replies_come_in_the_order_of_the_commands(pipe: PipelinedClient) -> None:
    commands = [("ECHO", str(number)) for number in range(1_000)]

    assert pipe.run(commands) == [str(number).encode() for number in range(1_000)]


def test_values_larger_than_a_piece_are_sent_whole(pipe: PipelinedClient) -> None:
    value = b"x" * (3 * PIECE_BYTES)

    assert pipe.run([("SET", "big", value), ("GET", "big")])[1] == value


def test_scripts_that_redis_forgot_are_loaded_again(redis_client: redis.Redis, worker: Worker) -> None:
    worker.write(first("a", 0))
    redis_client.script_flush()

    worker.write(first("b", 1), first("c", 2))
    redis_client.script_flush()
    worker.finish(3, sweep_until_ms=MIDDAY_MS - 1)

    assert worker.features("c")["offset"] == "2"


def test_scripts_flushed_in_the_middle_of_a_pipeline_leave_nothing_half_done(
    redis_client: redis.Redis, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = first()
    many = [one._replace(entity=f"card{number}") for number in range(100)]
    all_at_once = RedisBatchWrite._make

    def flush_in_between(*arguments: Any) -> Iterator[Any]:
        """The scripts are gone when the first block has been written."""
        for number, command in enumerate(all_at_once(*arguments)):
            if number == 1:
                while not redis_client.exists("features:transaction:card0"):
                    """Redis has not executed it yet."""
                redis_client.script_flush()
            yield command

    monkeypatch.setattr("twinstream.online.redis.pipelined.PIECE_BYTES", 1)  # so every block is sent when it is made
    monkeypatch.setattr(RedisBatchWrite, "_make", flush_in_between)
    worker.write(*many)

    assert len(redis_client.keys("features:*")) == 100


def test_a_key_of_another_application_is_one_line_that_names_the_remedy(
    redis_client: redis.Redis, worker: Worker
) -> None:
    redis_client.set("features:transaction:card", "mine")

    with pytest.raises(UserError, match="WRONGTYPE.*REDIS_DB"):
        worker.write(first())
    assert worker.load("card")["card"] is None


@pytest.mark.parametrize(
    "answer",
    [
        "OOM command not allowed when used memory > 'maxmemory'.",
        "ERR Error running script (call to f_1): @user_script:9: @user_script: 9: -OOM command not allowed",
        "READONLY You can't write against a read only replica.",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    ],
)
def test_a_refusal_that_passes_is_to_be_waited_for(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(Sent, "_receive", lambda *_: [ResponseError(answer)])

    with pytest.raises(StoreUnavailable, match="refuses for now"):
        store.ping()


def test_a_full_redis_is_unavailable_and_the_write_is_done_when_there_is_room(
    redis_client: redis.Redis, worker: Worker
) -> None:
    redis_client.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailable, match="OOM"):
            worker.write(first())
    finally:
        redis_client.config_set("maxmemory", "0")

    worker.write(first())
    assert worker.features()["txn_count"] == "1"


def test_a_call_that_was_interrupted_leaves_no_reply_for_the_next(
    pipe: PipelinedClient, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe.run([("PING",)])
    connection_type = redis_client.connection_pool.connection_class
    read = connection_type.read_response
    interrupted: list[bool] = []

    def interrupt_once(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt
        return read(self, *args, **kwargs)

    monkeypatch.setattr(connection_type, "read_response", interrupt_once)
    with pytest.raises(KeyboardInterrupt):
        pipe.run([("ECHO", "one"), ("ECHO", "two")])

    assert pipe.run([("ECHO", "three")]) == [b"three"]
