"""The files that TLS to Kafka needs, read before any connection is made, so that each mistake is named."""

import ssl
from pathlib import Path

from twinstream.errors import UserError
from twinstream.settings import Settings


class _Asked(Exception):
    """The key is encrypted and there is no password."""


def tls_context(settings: Settings) -> ssl.SSLContext:
    """What a TLS connection to Kafka is made with.

    Raises:
        UserError: a file is not there or not what it should be, naming its variable.
    """
    for name in ("kafka_ssl_cafile", "kafka_ssl_certfile", "kafka_ssl_keyfile"):
        path: Path | None = getattr(settings, name)
        try:
            if path is not None:
                path.read_bytes()
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise UserError(f"{path} cannot be read: {reason} ({settings.named(name)}).") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load_authorities(context, settings)
    if settings.kafka_ssl_certfile is not None:
        _load_own(context, settings)
    elif settings.kafka_ssl_keyfile is not None:
        raise UserError("KAFKA_SSL_KEYFILE is set without its certificate. Set KAFKA_SSL_CERTFILE, too.")
    return context


def _load_authorities(context: ssl.SSLContext, settings: Settings) -> None:
    if settings.kafka_ssl_cafile is None:
        context.load_default_certs()
        return
    try:
        context.load_verify_locations(settings.kafka_ssl_cafile)
    except ssl.SSLError:
        raise UserError(
            f"{settings.kafka_ssl_cafile} holds no certificate in PEM form ({settings.named('kafka_ssl_cafile')})."
        ) from None


def _load_own(context: ssl.SSLContext, settings: Settings) -> None:
    secret = settings.kafka_ssl_password
    asked = False

    def password() -> str:
        nonlocal asked
        asked = True
        if secret is None:
            raise _Asked
        return secret.get_secret_value()

    certificate, key = settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile
    assert certificate is not None
    files = ("kafka_ssl_certfile", "kafka_ssl_keyfile") if key else ("kafka_ssl_certfile",)
    try:
        context.load_cert_chain(certificate, key, password)
    except _Asked:
        raise UserError(f"{key or certificate} is encrypted. Set KAFKA_SSL_PASSWORD.") from None
    except ssl.SSLError as error:
        reason = (error.reason or "").replace("_", " ").lower()
        if "mismatch" in reason:
            raise UserError(f"{key} is not the key of {certificate} ({settings.named(*files)}).") from None
        if asked:
            raise UserError(f"KAFKA_SSL_PASSWORD does not open {key or certificate}.") from None
        raise UserError(
            f"{certificate}{f' and {key}' if key else ''} hold no certificate and key in PEM form "
            f"({settings.named(*files)})."
        ) from None
