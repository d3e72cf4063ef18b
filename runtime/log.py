"""Logging for every process: structlog to standard error, coloured on a terminal, JSON lines elsewhere.

Libraries that log through the standard library (kafka-python, boto3) come out in the same form.
"""

import logging
import secrets
import sys
from typing import TextIO

import structlog
from structlog.typing import Processor

_LIBRARY_LEVELS = {
    "kafka": "CRITICAL",  # what matters comes back to us as an exception and is told in our own words
    **dict.fromkeys(("boto3", "botocore", "urllib3", "s3transfer"), "WARNING"),
}


def configure_logging(
    level: str = "INFO", *, run_id: str | None = None, stream: TextIO | None = None, json: bool | None = None
) -> str:
    """Send all logs to `stream` (standard error by default) and return the run id that each line carries.

    `json` decides the form; by default a terminal gets colours and everything else gets JSON lines.
    """
    stream = stream or sys.stderr
    as_json = not stream.isatty() if json is None else json
    renderers: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer()]
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(stream)
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
        logging.getLogger(library).setLevel("DEBUG" if level == "DEBUG" else library_level)
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
