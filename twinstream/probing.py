"""Looking at an address that does not answer as it should: what is there?"""

import socket
import ssl
from collections.abc import Iterator

TIMEOUT_S = 2.0
NO_TLS = "it does not speak TLS"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from, the nearest first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def unreachable(host: str, port: int) -> str | None:
    """Why no connection can be made, in a few words; None if one can."""
    try:
        socket.create_connection((host, port), TIMEOUT_S).close()
    except OSError as error:
        return in_words(error)
    return None


def in_words(error: OSError) -> str:
    """A failure to connect in a few words."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return "the name cannot be resolved"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, TimeoutError):
        return "no answer"
    return (error.strerror or str(error) or type(error).__name__).lower()


def speaks_tls(host: str, port: int) -> bool:
    """Whether a TLS handshake succeeds, whatever the certificate says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as plain, context.wrap_socket(plain):
            return True
    except (OSError, ValueError):
        return False


def tls_failure(error: ssl.SSLError) -> str:
    """What is wrong between two ends of a TLS connection, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message.rstrip('.')}"
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if "certificate required" in reason or "handshake failure" in reason or "bad certificate" in reason:
        return f"it wants another client certificate ({reason})"
    if any(
        word in reason
        for word in (
            "wrong version number",
            "record layer failure",
            "unexpected eof",
            "unknown protocol",
            "http request",
        )
    ):
        return NO_TLS
    return reason
