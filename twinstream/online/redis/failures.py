"""Failures of a Redis that was connected to, sorted by what a caller can do about them."""

import re

from redis.exceptions import ResponseError

from twinstream.errors import UserError
from twinstream.online.redis.refusals import missing_right
from twinstream.online.store_errors import StoreUnavailable

_PASSES = re.compile(r"\b(OOM|READONLY|BUSY|LOADING|MISCONF|MASTERDOWN|NOREPLICAS|UNKILLABLE|TRYAGAIN)\b")
"""Error codes of a server that refuses now and may accept later."""


def unavailable(error: Exception, address: str) -> StoreUnavailable:
    """What to raise when Redis does not answer; the address is shown, so it has no password in it."""
    return StoreUnavailable(f"Redis does not answer at {address} ({' '.join(str(error).split())})")


def explained(error: ResponseError, address: str) -> Exception:
    """What to raise when it refuses."""
    if _PASSES.search(str(error)):
        return StoreUnavailable(f"Redis at {address} refuses for now ({error})")
    right = missing_right(error, address)
    if right is not None:
        return UserError(right)
    return UserError(
        f"Redis at {address} refused a command ({error}). Is the database shared with another application? "
        "Set REDIS_DB or REDIS_URL to one of its own."
    )
