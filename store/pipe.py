"""Many commands to Redis in one round trip, and its failures sorted by what a caller can do about them."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import hiredis
import redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from runtime.errors import UserError
from store.errors import StoreUnavailable
from store.scripts import SCRIPTS, Script

Command = tuple[str | bytes | int, ...]

_pack: Callable[[Command], bytes] = hiredis.pack_command  # type: ignore[assignment]

PIECE_BYTES = 16 * 1024

_PASSES = re.compile(r"\b(OOM|READONLY|BUSY|LOADING|MISCONF|MASTERDOWN|NOREPLICAS|UNKILLABLE|TRYAGAIN)\b")
"""Error codes of a server that refuses now and may accept later."""


class Pipe:
    """One server. Commands are packed here: redis-py's own pipeline takes longer than Redis does.

    Args:
        client: its connections are used; replies are bytes.
        address: for messages, without a password.
    """

    def __init__(self, client: redis.Redis, address: str) -> None:
        self._pool = client.connection_pool
        self.address = address

    def run(self, commands: Iterable[Command]) -> list[Any]:
        """Send all commands, the first while the later ones are still being made, and return all replies in order.

        Scripts that Redis has forgotten (it was restarted) are loaded, and all commands sent once more: so whatever is
        sent here has to be harmless when it is repeated.

        Raises:
            StoreUnavailable: no answer, or one that may be another in a while. Some commands may have been executed.
            UserError: Redis does not understand or does not allow a command.
        """
        sent: list[Command] = []
        replies = self._exchange(_noting(commands, sent))
        if any(isinstance(reply, NoScriptError) for reply in replies):
            self._exchange([("SCRIPT", "LOAD", script.text) for script in SCRIPTS])
            replies = self._exchange(sent)
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise self._explained(reply)
        return replies

    def close(self) -> None:
        """Close the connections."""
        self._pool.disconnect()

    def _exchange(self, commands: Iterable[Command]) -> list[Any]:
        """Replies or the errors in their place. A connection with replies left in it is never used again."""
        try:
            connection = self._pool.get_connection()
        except RedisError as error:
            raise self._unavailable(error) from error
        try:
            sent: list[Command] = []
            connection.send_packed_command(_packed(_noting(commands, sent)))  # type: ignore[no-untyped-call]
            replies: list[Any] = []
            for _ in sent:
                try:
                    replies.append(connection.read_response())
                except ResponseError as error:
                    replies.append(error)
            return replies
        except RedisError as error:
            connection.disconnect()  # type: ignore[no-untyped-call]
            raise self._unavailable(error) from error
        except BaseException:
            connection.disconnect()  # type: ignore[no-untyped-call]
            raise
        finally:
            self._pool.release(connection)

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(f"Redis does not answer at {self.address} ({' '.join(str(error).split())})")

    def _explained(self, error: ResponseError) -> Exception:
        if _PASSES.search(str(error)):
            return StoreUnavailable(f"Redis at {self.address} refuses for now ({error})")
        return UserError(
            f"Redis at {self.address} refused a command ({error}). Is the database shared with another application? "
            "Set REDIS_DB or REDIS_URL to one of its own."
        )


def _noting(commands: Iterable[Command], noted: list[Command]) -> Iterator[Command]:
    """The same commands, added to a list as they pass."""
    for command in commands:
        noted.append(command)
        yield command


def _packed(commands: Iterable[Command]) -> Iterator[bytes]:
    """The commands in pieces worth a system call, so that Redis is at work while the rest is being packed."""
    piece: list[bytes] = []
    size = 0
    for command in commands:
        packed = _pack(command)
        piece.append(packed)
        size += len(packed)
        if size >= PIECE_BYTES:
            yield b"".join(piece)
            piece.clear()
            size = 0
    if piece:
        yield b"".join(piece)


def call(script: Script, keys: Sequence[str], *arguments: str | bytes | int) -> Command:
    """The command that runs a script."""
    return ("EVALSHA", script.digest, len(keys), *keys, *arguments)
