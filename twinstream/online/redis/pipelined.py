"""Many commands to Redis in one round trip."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import hiredis
import redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from twinstream.batching import cut
from twinstream.online.redis.failures import explained, unavailable
from twinstream.online.redis.scripts import SCRIPTS, Script

Command = tuple[str | bytes | int, ...]

_pack: Callable[[Command], bytes] = hiredis.pack_command  # type: ignore[assignment]

PIECE_BYTES = 16 * 1024


class Packed:
    """Commands as Redis reads them, in pieces worth a system call. They are made when they are needed, once.

    Attributes:
        count: commands packed so far.
    """

    def __init__(self, commands: Iterable[Command]) -> None:
        self._pieces: list[bytes] = []
        self._rest = self._pack(commands)
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        """All pieces; what is not packed yet is packed on the way, so that Redis is at work meanwhile."""
        yield from self._pieces
        for piece in self._rest:
            self._pieces.append(piece)
            yield piece

    def pack(self) -> "Packed":
        """Pack all of them now."""
        self._pieces += self._rest
        return self

    def _pack(self, commands: Iterable[Command]) -> Iterator[bytes]:
        for piece in cut(self._packed_singly(commands), len, PIECE_BYTES):
            yield b"".join(piece)

    def _packed_singly(self, commands: Iterable[Command]) -> Iterator[bytes]:
        for command in commands:
            packed = _pack(command)
            self.count += 1
            yield packed


class PipelinedClient:
    """One server. Commands are packed here: redis-py's own pipeline takes longer than Redis does.

    Args:
        client: its connections are used; replies are bytes.
        address: for messages, without a password.
    """

    def __init__(self, client: redis.Redis, address: str) -> None:
        self.pool = client.connection_pool
        self.address = address

    def run(self, commands: Iterable[Command]) -> list[Any]:
        """Send all commands, the first while the later ones are still being made, and return all replies in order.

        Scripts that Redis has forgotten (it was restarted) are loaded, and all commands sent once more: so whatever is
        sent here has to be harmless when it is repeated.

        Raises:
            StoreUnavailable: no answer, or one that may be another in a while. Some commands may have been executed.
            UserError: Redis does not understand or does not allow a command.
        """
        return self.send(Packed(commands)).replies()

    def send(self, commands: Packed) -> "Sent":
        """Send commands and leave their replies for later. Otherwise as `run`."""
        return Sent(self, commands)

    def close(self) -> None:
        """Close the connections."""
        self.pool.disconnect()


class Sent:
    """Commands under way: their replies are read once, or given up. Until then a connection of the pool is in use."""

    def __init__(self, pipe: PipelinedClient, commands: Packed) -> None:
        self._pipe = pipe
        self._commands = commands
        self._connection = self._send()

    def replies(self) -> list[Any]:
        """All replies in order; see `PipelinedClient.run`."""
        replies = self._receive()
        if any(isinstance(reply, NoScriptError) for reply in replies):
            loading = Packed([("SCRIPT", "LOAD", script.text) for script in SCRIPTS])
            self._refuse_errors(Sent(self._pipe, loading)._receive())
            self._connection = self._send()
            replies = self._receive()
        self._refuse_errors(replies)
        return replies

    def _refuse_errors(self, replies: list[Any]) -> None:
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise explained(reply, self._pipe.address)

    def give_up(self) -> None:
        """Leave the replies unread. The connection is never used again, since they would be taken for others."""
        self._connection.disconnect()
        self._pipe.pool.release(self._connection)

    def _send(self) -> Any:
        try:
            self._connection = self._pipe.pool.get_connection()
        except RedisError as error:
            raise unavailable(error, self._pipe.address) from error
        with self._giving_up():
            self._connection.send_packed_command(self._commands)
        return self._connection

    def _receive(self) -> list[Any]:
        """Replies, or the errors in their place."""
        replies: list[Any] = []
        with self._giving_up():
            for _ in range(self._commands.count):
                try:
                    replies.append(self._connection.read_response())
                except ResponseError as error:
                    replies.append(error)
        self._pipe.pool.release(self._connection)
        return replies

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        """Give up at any failure."""
        try:
            yield
        except RedisError as error:
            self.give_up()
            raise unavailable(error, self._pipe.address) from error
        except BaseException:
            self.give_up()
            raise


def call(script: Script, keys: Sequence[str], *arguments: str | bytes | int) -> Command:
    """The command that runs a script."""
    return ("EVALSHA", script.digest, len(keys), *keys, *arguments)
