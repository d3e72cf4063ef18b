"""Addresses of services: understood, and shown without what is secret in them."""

from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

QUERY = {"db", "username", "password", "client_name", "socket_timeout", "socket_connect_timeout"}
TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
TLS_QUERY = {*TLS_FILES, "ssl_ca_path", "ssl_cert_reqs", "ssl_check_hostname", "ssl_password"}
"""What the query of a Redis URL may set, and what that of a rediss:// URL may, too."""


def require_redis_url(url: str) -> str:
    """The URL, if it is the address of a Redis that can be read in one way only.

    A password with a `/`, `?` or `#` that is not written as %2F, %3F or %23 would make a part of itself the address,
    which messages show.

    Raises:
        ValueError: it is not; the text does not repeat it.
    """
    parts = urlsplit(url)
    keys = [key for key, _ in parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))]
    known = set(keys) <= (QUERY | TLS_QUERY if parts.scheme == "rediss" else QUERY)
    if parts.scheme == "unix":
        placed = (not parts.netloc or parts.netloc.endswith("@")) and len(parts.path) > 1 and "@" not in parts.path
    else:
        path = parts.path.strip("/")
        placed = bool(parts.hostname) and parts.port != 0 and (not path or (path.isascii() and path.isdigit()))
    if parts.scheme not in ("redis", "rediss", "unix") or parts.fragment or not known or not placed:
        raise ValueError("not the address of a Redis")
    return url


def redis_url_with_database(url: str, database: int) -> str:
    """The URL with a database number, unless it names one."""
    parts = urlsplit(url)
    if any(key == "db" for key, _ in parse_qsl(parts.query)) or (parts.scheme != "unix" and parts.path.strip("/")):
        return url
    if parts.scheme == "unix":
        return f"{url}{'&' if parts.query else '?'}db={database}"
    return urlunsplit(parts._replace(path=f"/{database}"))


def redis_address(url: str) -> str:
    """Where a Redis URL leads to, without user, password and options.

    >>> redis_address("rediss://me:secret@cache:6379/0?password=also")
    'rediss://cache:6379/0'
    """
    parts = urlsplit(url)
    if parts.scheme == "unix":
        database = dict(parse_qsl(parts.query)).get("db", "0")
        return f"unix://{parts.path}?db={database}"
    database = dict(parse_qsl(parts.query)).get("db", parts.path.strip("/") or "0")
    return f"{parts.scheme}://{bracketed(parts.hostname or 'localhost')}:{parts.port or 6379}/{database}"


def without_password(url: str) -> str:
    """The URL with any user, password and query left out; all of it is if it cannot be understood.

    >>> without_password("http://me:secret@there:4566/?token=x")
    'http://there:4566/'
    """
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "an address that is not shown"
    return urlunsplit((parts.scheme, f"{bracketed(parts.hostname or '')}{port}", parts.path, "", ""))


def bracketed(host: str) -> str:
    """A host as it stands in a URL."""
    return f"[{host}]" if ":" in host else quote(host)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name alone."""
    return host in ("localhost", "::1") or host.startswith("127.")
