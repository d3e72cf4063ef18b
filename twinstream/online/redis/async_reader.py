"""Reading from Redis in an event loop, many calls at once: each has a connection to itself while it is under way."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import redis.asyncio
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry as Retries

from twinstream.online.contract import EntityName, Found, Partition, Recorded
from twinstream.online.redis.failures import explained, unavailable
from twinstream.online.redis.pipelined import Command, Packed
from twinstream.online.redis.reads import found_in, progress_command, read_commands, recorded_in
from twinstream.online.redis.scripts import READ
from twinstream.online.store_errors import StoreUnavailable


class AsyncRedisReader:
    """One Redis as `AsyncOnlineReader`. It connects when it is first asked, and again after Redis was away.

    Args:
        url: of Redis, password included.
        namespace: whose states are read.
        address: of Redis, for messages.
        timeout_s: how long a call may take, in seconds.
    """

    def __init__(self, url: str, namespace: str, address: str, timeout_s: float) -> None:
        self._namespace = namespace
        self._address = address
        self._timeout_s = timeout_s
        no_retries = Retries(NoBackoff(), 0)
        # Only its options are used: to borrow its connections costs more than a call of ours does. A call is limited in
        # time as a whole, so its reads and writes need not be.
        self._pool = redis.asyncio.ConnectionPool.from_url(
            url,
            protocol=2,
            decode_responses=False,
            socket_timeout=None,
            socket_connect_timeout=timeout_s,
            retry=no_retries,
        )
        self._idle: list[Any] = []

    async def ping(self) -> None:
        """Return if Redis answers."""
        await self._run([("PING",)])

    async def close(self) -> None:
        """Close the connections."""
        await self._drop_idle()

    async def states(self, entities: Sequence[EntityName]) -> list[Found | None]:
        """What there is of each of some entities, in one round trip."""
        return found_in(entities, await self._run(read_commands(self._namespace, entities)))

    async def progress(self, partitions: Sequence[Partition]) -> list[Recorded | None]:
        """How far each of some partitions has been written, in one round trip."""
        return [recorded_in(each) for each in await self._run(progress_command(self._namespace, p) for p in partitions)]

    async def _run(self, commands: Iterable[Command]) -> list[Any]:
        """All replies in order.

        Raises:
            StoreUnavailable: no answer in time, or one that may be another in a while.
            UserError: Redis does not understand or does not allow a command.
        """
        packed = Packed(commands).pack()
        try:
            async with asyncio.timeout(self._timeout_s):
                replies = await self._replies(packed)
                if any(isinstance(reply, NoScriptError) for reply in replies):  # Redis was restarted
                    await self._replies(Packed([("SCRIPT", "LOAD", READ.text)]).pack())
                    replies = await self._replies(packed)
        except TimeoutError:
            raise StoreUnavailable(f"Redis does not answer at {self._address} (waited {self._timeout_s:g} s)") from None
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise explained(reply, self._address)
        return replies

    async def _replies(self, packed: Packed) -> list[Any]:
        """Replies, or the errors in their place."""
        while self._idle:
            try:
                return await self._ask(self._idle.pop(), packed)
            except RedisError:
                await self._drop_idle()  # Redis may have been restarted since they were used
        try:
            return await self._ask(self._pool.make_connection(), packed)  # type: ignore[no-untyped-call]
        except RedisError as error:
            raise unavailable(error, self._address) from error

    async def _ask(self, connection: Any, packed: Packed) -> list[Any]:
        """Send and receive on a connection, which is connected if it is new; it is idle afterwards, or closed."""
        replies: list[Any] = []
        try:
            await connection.send_packed_command(packed, check_health=False)
            for _ in range(packed.count):
                try:
                    replies.append(await connection.read_response())
                except ResponseError as error:
                    replies.append(error)
        except BaseException:  # also when nobody waits any more: what comes now would be taken for another's
            await connection.disconnect(nowait=True)
            raise
        self._idle.append(connection)
        return replies

    async def _drop_idle(self) -> None:
        while self._idle:
            await self._idle.pop().disconnect(nowait=True)
