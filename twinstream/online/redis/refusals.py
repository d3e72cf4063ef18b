"""Why Redis cannot be used, in one line: who refused what, which variable led there, and what to do about it."""

import re
import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    BusyLoadingError,
    InvalidResponse,
    NoPermissionError,
    ResponseError,
)

from twinstream.addresses import TLS_FILES, is_loopback
from twinstream.probing import NO_TLS, causes, in_words, speaks_tls, tls_failure, unreachable
from twinstream.settings import Settings

_COMMAND = re.compile(r"to run the '([^']+)' command")
_IN_A_SCRIPT = "can't run this command"


def missing_right(error: ResponseError, address: str) -> str | None:
    """One line if Redis does not allow this user a command or a key; None if something else is wrong."""
    text = " ".join(str(error).split())
    if not isinstance(error, NoPermissionError) and _IN_A_SCRIPT not in text and "permissions" not in text:
        return None
    who = f"Redis at {address} does not allow this user"
    command = _COMMAND.search(text)
    if command is not None:
        return f"{who} to run {command[1].upper()}. Grant it: ACL SETUSER <user> +{command[1]}"
    if _IN_A_SCRIPT in text:
        return f"{who} a command that our scripts run. Grant them: ACL SETUSER <user> +@read +@write +@scripting"
    return f"{who} one of our keys. Grant them: ACL SETUSER <user> ~*"


def why_not(error: Exception, settings: Settings) -> str:
    """One line for a first command that failed."""
    address, named = settings.redis_address, _named(settings)
    text = " ".join(str(error).split())
    if isinstance(error, BusyLoadingError):
        return f"Redis at {address} is loading its data. Try again in a moment."
    if isinstance(error, AuthenticationError | AuthenticationWrongNumberOfArgsError):
        if _has_password(settings):
            return f"Redis at {address} refuses the user or the password ({named}). Correct them."
        return f"Redis at {address} wants a password ({named}). Give one: REDIS_URL=redis://user:password@host:port/0"
    if isinstance(error, ResponseError):
        if "DB index" in text:
            return f"Redis at {address} has no database of that number. Set REDIS_DB (or REDIS_URL) to a smaller one."
        return missing_right(error, address) or f"Redis at {address} ({named}) refuses: {text}"
    return _not_reached(error, settings, address, named)


def _not_reached(error: Exception, settings: Settings, address: str, named: str) -> str:
    failures = list(causes(error))
    parts = urlsplit(settings.redis_connection_url)
    host, port = parts.hostname or "", parts.port or 6379
    for name in TLS_FILES:
        for file in parse_qs(parts.query).get(name, ()):
            if not Path(file).is_file():
                return f"There is no file {file}, which {name} in REDIS_URL names."
    broken = next((each for each in failures if isinstance(each, ssl.SSLError)), None)
    if broken is not None and not isinstance(broken, TimeoutError):
        return f"Redis at {address} ({named}): {tls_failure(broken)}. {_tls_remedy(broken)}"
    if host and unreachable(host, port) is None:
        if parts.scheme == "rediss" and not speaks_tls(host, port):
            return f"Redis at {address} ({named}): {NO_TLS}. {_NO_TLS_REMEDY}"
        if parts.scheme == "redis" and speaks_tls(host, port):
            return f"Redis at {address} ({named}) wants TLS. Use rediss:// in REDIS_URL."
        if any(isinstance(each, InvalidResponse) for each in failures) or "closed" in str(error).lower():
            return f"What answers at {address} does not speak Redis's protocol. Correct {named}."
    reason = next((in_words(each) for each in failures if isinstance(each, OSError)), " ".join(str(error).split()))
    remedy = (
        'Start it with "make up" or set REDIS_HOST and REDIS_PORT.'
        if is_loopback(host)
        else "Start it, or correct the address."
    )
    return f"Redis does not answer at {address}: {reason} ({named}). {remedy}"


_NO_TLS_REMEDY = "Use redis:// instead of rediss:// in REDIS_URL."


def _tls_remedy(error: ssl.SSLError) -> str:
    if tls_failure(error) == NO_TLS:
        return _NO_TLS_REMEDY
    return "REDIS_URL can name files: ?ssl_ca_certs=ca.pem&ssl_certfile=cert.pem&ssl_keyfile=key.pem"


def _has_password(settings: Settings) -> bool:
    parts = urlsplit(settings.redis_connection_url)
    return bool(parts.password or "password" in parse_qs(parts.query))


def _named(settings: Settings) -> str:
    return settings.named("redis_url") if settings.redis_url else settings.named("redis_host", "redis_port")
