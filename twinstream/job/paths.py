"""Paths as Flink reads them: it takes an escape such as `%20` in a URL for three letters of a file's name."""

import shlex
from pathlib import Path
from urllib.parse import unquote

from twinstream.errors import UserError
from twinstream.packages import typed


def flink_path(given: str) -> str:
    """A path, or a URL of any file system, as Flink's own spelling of it.

    >>> flink_path("file:///a%20folder/")
    'file:///a folder'
    >>> flink_path("/a folder")
    'file:///a folder'
    >>> flink_path("s3://bucket/state")
    's3://bucket/state'
    """
    if given.startswith("file:"):
        return "file://" + _plain("/" + unquote(given.removeprefix("file:")).lstrip("/"))
    return given.rstrip("/") if "://" in given else "file://" + _plain(str(Path(given).absolute()))


def newest_savepoint(directory: str) -> str:
    """The newest savepoint or checkpoint under a directory.

    Args:
        directory: as `flink_path` gives it.

    Raises:
        UserError: there is none, or it is not on this machine.
    """
    if not directory.startswith("file:"):
        raise UserError(
            f'"latest" looks for savepoints on this machine, and {directory} is elsewhere: name one instead.'
        )
    metadata = Path(directory.removeprefix("file:")).glob("**/_metadata")
    newest = max(metadata, key=lambda file: file.stat().st_mtime, default=None)
    if newest is None:
        raise UserError(f"There is no savepoint in {directory}. Start without SAVEPOINT.")
    return flink_path(str(newest.parent))


def resume_line(savepoint: str) -> str:
    """The command that continues from a savepoint or checkpoint of Flink's, as it can be pasted into a shell.

    >>> resume_line("file:/a folder/savepoint-1")
    "make run-flink SAVEPOINT='/a folder/savepoint-1'"
    """
    path = "/" + savepoint.removeprefix("file:").lstrip("/") if savepoint.startswith("file:") else savepoint
    given = f"SAVEPOINT={shlex.quote(path)}"
    return typed(f"run-flink {given}", f"env {given} twinstream flink run")


def _plain(path: str) -> str:
    return path.rstrip("/") or "/"
