"""What a Python process has loaded for the jobs that it has run, so that none computes with another's code.

In thread mode all jobs of a TaskManager share one Python, and it keeps a module as the first of them brought it. A
later job that brings it with other bytes would compute with the old code, and nothing would say so.
"""

import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from twinstream.errors import UserError

_loaded: dict[str, str] = {}
"""The digest of each module of ours, by its place, as it was when a job first loaded it here."""


def digests(files: Mapping[str, Path]) -> dict[str, str]:
    """What a job brings: the digest of each module, by its place, such as `shop/features.py`."""
    modules = {place: file for place, file in files.items() if place.endswith(".py")}
    return {place: sha256(file.read_bytes()).hexdigest() for place, file in modules.items()}


def check_loaded(brought: Mapping[str, str]) -> None:
    """Refuse to compute with what an earlier job has loaded here, where that is not what this one brings.

    Packages that are loaded already find the modules that only this job brings.

    Raises:
        UserError: a module is loaded with other bytes.
    """
    old = sorted(place for place, digest in brought.items() if _loaded.get(place, digest) != digest)
    if old:
        raise UserError(
            f"This TaskManager has loaded {old[0]} for an earlier job, when it was not what it is now. In thread mode "
            "it keeps what it has loaded: start it anew (twinstream flink down, then up), or run with --mode process."
        )
    for name in {_module(place) for place in brought}:
        folders = getattr(sys.modules.get(name), "__path__", None)
        if isinstance(folders, list):
            here = (str(Path(entry, *name.split("."))) for entry in sys.path)
            folders += [folder for folder in here if folder not in folders and Path(folder).is_dir()]


def note_loaded(brought: Mapping[str, str]) -> None:
    """Note what is loaded now of what a job brings."""
    for place, digest in brought.items():
        if _module(place) in sys.modules:
            _loaded.setdefault(place, digest)


def _module(place: str) -> str:
    """The name of the module at a place.

    >>> _module("shop/features.py"), _module("shop/__init__.py")
    ('shop.features', 'shop')
    """
    return place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
