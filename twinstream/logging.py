"""Logging for every process: structlog to standard error, coloured on a terminal, JSON lines elsewhere.

Libraries that log through the standard library (boto3) come out in the same form.
"""

import io
import logging
import secrets
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor

from twinstream.terminal import visible

_LIBRARY_LEVELS = {
    "kafka": "CRITICAL",  # what matters comes back to us as an exception and is told in our own words
    **dict.fromkeys(("apache_beam", "boto3", "botocore", "urllib3", "s3transfer", "uvicorn"), "WARNING"),
}
"""Whatever our own level: a client tells a thousand things about its connections before we have said one, and Beam what
it misses of clouds that nobody asked for."""


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at the time: while a live line is shown, above it."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__(stream or sys.stderr)
        self._fixed = stream

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = self._fixed or sys.stderr
        super().emit(record)


def _write_traceback(stream: TextIO, error: ExcInfo) -> None:
    text = io.StringIO()
    structlog.dev.plain_traceback(text, error)
    stream.write(visible(text.getvalue(), keep="\n"))


def _readable(_: Any, __: str, event: EventDict) -> EventDict:
    """Text of others cannot tell a terminal what to do."""
    return {name: visible(value) if isinstance(value, str) else value for name, value in event.items()}


def configure_logging(
    level: str = "INFO", *, run_id: str | None = None, stream: TextIO | None = None, json: bool | None = None
) -> str:
    """Send all logs to `stream` (standard error by default) and return the run id that each line carries.

    `json` decides the form; by default a terminal gets colours and everything else gets JSON lines.
    """
    as_json = not (stream or sys.stderr).isatty() if json is None else json
    renderers: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        # A traceback that shows the values of variables would show passwords.
        else [_readable, structlog.dev.ConsoleRenderer(exception_formatter=_write_traceback)]
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for library, library_level in _LIBRARY_LEVELS.items():
        logging.getLogger(library).setLevel(library_level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    run_id = run_id or secrets.token_hex(4)
    structlog.contextvars.clear_contextvars()
    bind(run_id=run_id)
    return run_id


def bind(**values: object) -> None:
    """Put `values` (the group, say) on every later line of this thread."""
    structlog.contextvars.bind_contextvars(**values)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of the module `name`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
