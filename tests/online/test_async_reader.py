"""Reading from Redis in an event loop, for what Redis alone can show."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
import redis

from deploy.local import LocalRedis, free_port
from tests.online.worker import Worker, first
from twinstream.errors import UserError
from twinstream.online.contract import Found
from twinstream.online.redis.async_reader import AsyncRedisReader
from twinstream.online.redis.connection import async_reader
from twinstream.online.store_errors import StoreUnavailable
from twinstream.settings import load_settings

T = TypeVar("T")

CARD = [("transaction", "card")]


def reading(server: LocalRedis, ask: Callable[[AsyncRedisReader], Awaitable[T]], timeout_s: float = 60) -> T:
    """What a reader answers that lives as long as one question."""

    async def story() -> T:
        reader = AsyncRedisReader(server.url, "tests", server.url, timeout_s)
        try:
            return await ask(reader)
        finally:
            await reader.close()

    return asyncio.run(story())


async def offset(reader: AsyncRedisReader) -> int:
    (found,) = await reader.states(CARD)
    assert isinstance(found, Found)
    assert found.stored is not None
    return found.stored.offset


def test_a_reader_is_made_without_a_redis_and_says_when_there_is_none() -> None:
    port = free_port()
    reader = async_reader(load_settings(redis_url=f"redis://me:secret@127.0.0.1:{port}/0"), timeout_s=60)

    with pytest.raises(StoreUnavailable, match=f"Redis does not answer at redis://127.0.0.1:{port}/0") as caught:
        asyncio.run(reader.ping())
    assert "secret" not in str(caught.value)


def test_scripts_that_redis_has_forgotten_are_loaded(
    redis_server: LocalRedis, redis_client: redis.Redis, worker: Worker
) -> None:
    worker.write(first(offset=7))

    async def forgotten_in_between(reader: AsyncRedisReader) -> list[int]:
        before = await offset(reader)
        redis_client.script_flush()
        return [before, await offset(reader)]

    assert reading(redis_server, forgotten_in_between) == [7, 7]


def test_a_connection_that_redis_closed_is_replaced(
    redis_server: LocalRedis, redis_client: redis.Redis, worker: Worker
) -> None:
    worker.write(first(offset=7))

    async def closed_in_between(reader: AsyncRedisReader) -> list[int]:
        before = await asyncio.gather(*(offset(reader) for _ in range(5)))
        redis_client.client_kill_filter(_type="normal", skipme=True)
        return [*before, await offset(reader)]

    assert reading(redis_server, closed_in_between) == [7] * 6


def test_an_answer_that_came_too_late_is_never_taken_for_anothers(
    redis_server: LocalRedis, redis_client: redis.Redis, worker: Worker
) -> None:
    worker.write(first(offset=7))

    async def paused_in_between(reader: AsyncRedisReader) -> int:
        assert await offset(reader) == 7
        redis_client.execute_command("CLIENT", "PAUSE", 1_000, "ALL")
        with pytest.raises(StoreUnavailable, match=r"waited 0.2 s"):
            await reader.ping()
        redis_client.execute_command("CLIENT", "UNPAUSE")
        deadline = time.monotonic() + 60
        while True:
            try:
                return await offset(reader)
            except StoreUnavailable:
                assert time.monotonic() < deadline

    assert reading(redis_server, paused_in_between, timeout_s=0.2) == 7


def test_a_call_that_nobody_waits_for_any_more_leaves_nothing_behind(redis_server: LocalRedis, worker: Worker) -> None:
    worker.write(first(offset=7))

    async def cancelled_in_between(reader: AsyncRedisReader) -> int:
        await reader.ping()
        call = asyncio.create_task(reader.progress([worker.claim.partition]))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        return await offset(reader)

    assert reading(redis_server, cancelled_in_between) == 7


def test_a_user_who_may_not_read_is_told_the_right_that_is_missing(
    redis_server: LocalRedis, redis_client: redis.Redis
) -> None:
    redis_client.execute_command("ACL", "SETUSER", "little", "on", ">word", "+ping", "~*")
    url = f"redis://little:word@127.0.0.1:{redis_server.port}/0"
    try:
        with pytest.raises(UserError, match="does not allow this user to run EVALSHA"):
            asyncio.run(async_reader(load_settings(redis_url=url), timeout_s=60).states(CARD))
    finally:
        redis_client.execute_command("ACL", "DELUSER", "little")
