"""What halves the processor time in which a broker starts, kept beside its jars.

- Formatted data: Kafka's tool for that is a Java of its own, and what it writes is the same for every new broker.
- An archive of the classes that it loads, which Java writes when a broker ends in good order ("class data sharing").
  Java itself ignores an archive that does not fit, of other jars for example.
"""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from deploy.local.paths import KAFKA
from twinstream.local.jars import java_binary, java_build

_FORMATTED = ("bootstrap.checkpoint", "meta.properties")
"""What formatting writes. The last one tells the broker that it is done."""

_ARCHIVES = "classes-*.jsa"


def has_archive() -> bool:
    """Whether there is an archive for this Java."""
    return _archive().exists()


def class_options(directory: Path) -> list[str]:
    """Java's options for a broker in `directory`: to use the archive, or to write one there for `keep_archive`."""
    archive = _archive()
    if archive.exists():
        return [f"-XX:SharedArchiveFile={archive}"]
    return [f"-XX:ArchiveClassesAtExit={directory / archive.name}"]


def keep_archive(directory: Path) -> None:
    """Keep the archive that a broker in `directory` has written, if it has."""
    for written in directory.glob(_ARCHIVES):
        _kept().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_kept()) as scratch:
            os.replace(shutil.move(written, scratch), _kept() / written.name)


def copy_formatted(data: Path) -> bool:
    """Make `data` a formatted folder; False if none has been kept yet."""
    if not (_kept() / _FORMATTED[-1]).exists():
        return False
    data.mkdir(parents=True, exist_ok=True)
    for name in _FORMATTED:
        shutil.copy(_kept() / name, data)
    return True


def keep_formatted(data: Path) -> None:
    """Keep a folder that Kafka's tool has just formatted, for the next brokers."""
    _kept().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_kept()) as scratch:
        for name in _FORMATTED:
            with suppress(FileNotFoundError):
                os.replace(shutil.copy(data / name, scratch), _kept() / name)


def _archive() -> Path:
    return _kept() / _ARCHIVES.replace("*", java_build(java_binary(KAFKA.name)))


def _kept() -> Path:
    directory = KAFKA.directory
    return directory.with_name(f"{directory.name}-start")
