"""Where a process and its children put what they need while they run: a folder of ours, not the system's.

What such a folder holds is worth nothing once its process has ended, and a killed one cannot clear up.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def java_environment(scratch: Path) -> dict[str, str]:
    """Environment variables of a Java process that has this folder for temporary files.

    Java takes the names of files for what the locale says, so the locale is one of UTF-8, whatever the user's is.
    """
    given = os.environ.get("JDK_JAVA_OPTIONS", "")
    return {
        "TMPDIR": str(scratch),
        "LC_ALL": "C.UTF-8",
        "JDK_JAVA_OPTIONS": f'{given} "-Djava.io.tmpdir={scratch}" -XX:-UsePerfData'.strip(),
    }


def fresh(folder: Path) -> Path:
    """The folder, empty: for a process that is the only one of its name."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def claim(parent: Path) -> Path:
    """A new folder in `parent` for this process and whatever it becomes by `exec`; those of dead processes go."""
    folder, _ = _claimed(parent)
    return folder


def remove(folder: Path) -> None:
    """Delete a folder, and the two above it if there is nothing else in them."""
    shutil.rmtree(folder, ignore_errors=True)
    for above in list(folder.parents)[:2]:
        with suppress(OSError):
            above.rmdir()


@contextmanager
def claimed(parent: Path) -> Iterator[Path]:
    """A new folder in `parent` for a `with` block; those of dead processes go."""
    folder, lock = _claimed(parent)
    try:
        yield folder
    finally:
        os.close(lock)
        remove(folder)


def _claimed(parent: Path) -> tuple[Path, int]:
    """A folder that is locked for as long as this process lives, which is what says that it is in use."""
    while True:
        with suppress(FileNotFoundError):  # another process removed the empty parent in between
            parent.mkdir(parents=True, exist_ok=True)
            return _claimed_now(parent)


def _claimed_now(parent: Path) -> tuple[Path, int]:
    one_at_a_time = os.open(parent, os.O_RDONLY)
    try:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        for other in parent.iterdir():
            if not _in_use(other):
                shutil.rmtree(other, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(dir=parent))
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock, True)
    finally:
        os.close(one_at_a_time)
    return folder, lock


def _in_use(folder: Path) -> bool:
    probe = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(probe)
    return False
