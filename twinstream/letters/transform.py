"""A user's script that repairs records."""

import hashlib
import json
import runpy
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from twinstream.core.dead_letters import DeadLetter
from twinstream.errors import UserError
from twinstream.letters.selection import place
from twinstream.log.rows import UNDECODABLE

MAX_FAULT = 300
"""Characters shown of what a script raised: it may quote the record, and that may be a megabyte."""


class Transform:
    """A script's `transform(record, letter)`: the repaired record, or None to leave it.

    `record` is a dictionary where the value is a JSON object that can be read, else bytes; so is what is returned.

    Attributes:
        name: of the file, with the digest of its text.
    """

    def __init__(self, script: Path) -> None:
        """Load a script.

        Raises:
            UserError: it cannot be run, or has no such function.
        """
        if not script.is_file():
            raise UserError(
                f"{script} is a folder, not a script." if script.is_dir() else f"There is no script {script}."
            )
        try:
            self.name = f"{script.name} {hashlib.sha256(script.read_bytes()).hexdigest()[:12]}"
            function = runpy.run_path(str(script)).get("transform")
        except (Exception, SystemExit) as fault:
            raise UserError(f"{script} does not run: {_named(fault)}") from None
        if not callable(function):
            raise UserError(f"{script} has no function transform(record, letter).")
        self._function: Callable[[Any, DeadLetter], Any] = function

    def __call__(self, letter: DeadLetter) -> bytes | None:
        """The repaired value; None to leave the record.

        Raises:
            UserError: the script failed on it, or returned what is no record.
        """
        try:
            repaired = self._function(_record(letter.value or b""), letter)
            return repaired if repaired is None or isinstance(repaired, bytes) else _as_json(repaired)
        except (Exception, SystemExit) as fault:
            raise UserError(
                f"The script failed on {place(letter)}: {_named(fault)}. "
                "What was re-driven before stays so: mend the script and run it again, nothing is sent twice."
            ) from None


def _record(value: bytes) -> dict[str, Any] | bytes:
    """What the script is given of a value: whatever is no JSON, no UTF-8 or too deep is bytes."""
    try:
        record = msgspec.json.decode(value)
    except UNDECODABLE:
        return value
    return record if isinstance(record, dict) else value


def _as_json(repaired: object) -> bytes:
    """What a script returned as JSON; unlike msgspec, it refuses what would become something else (NaN, bytes, a set).

    Raises:
        TypeError, ValueError, RecursionError: it is no dictionary, or has something in it that JSON has not.
    """
    if not isinstance(repaired, dict):
        raise TypeError(f"it returned {type(repaired).__name__}, where a dictionary, bytes or None was expected")
    return json.dumps(repaired, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()


def _plain(value: object) -> str:
    """Amounts and times as records have them."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"the record that it returned has a {type(value).__name__} in it, which is no JSON")


def _named(fault: BaseException) -> str:
    return f"{type(fault).__name__}: {fault}"[:MAX_FAULT]
