"""Files that users name and that we write."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twinstream.errors import UserError


@contextmanager
def told_if_unwritable(path: Path) -> Iterator[None]:
    """A block that writes `path`, or into it; that it cannot be written is one line.

    Raises:
        UserError: so it is, and why.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror or error}). Choose another place.") from None
