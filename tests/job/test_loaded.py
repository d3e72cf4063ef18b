"""A TaskManager's Python that an earlier job has used: what it has loaded, and what the next job brings."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinstream.errors import UserError
from twinstream.job import loaded

MODULE = "loaded_for_a_job"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process in which no job has run."""
    monkeypatch.setattr(loaded, "_loaded", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in [name for name in sys.modules if name.startswith(MODULE)]:
        del sys.modules[name]


def job(folder: Path, **modules: str) -> dict[str, str]:
    """What a job brings: a package of these modules, in a folder that is on the path from now on."""
    package = folder / MODULE
    package.mkdir(parents=True)
    for name, text in {"__init__": "", **modules}.items():
        (package / f"{name}.py").write_text(text)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    return loaded.digests({f"{MODULE}/{file.name}": file for file in package.iterdir()})


def test_the_same_code_again_is_fine(tmp_path: Path) -> None:
    for number in ("first", "second"):
        brought = job(tmp_path / number, features="VALUE = 1")
        loaded.check_loaded(brought)
        importlib.import_module(f"{MODULE}.features")
        loaded.note_loaded(brought)


def test_other_code_under_a_name_that_is_loaded_is_refused(tmp_path: Path) -> None:
    brought = job(tmp_path / "first", features="VALUE = 1")
    importlib.import_module(f"{MODULE}.features")
    loaded.note_loaded(brought)
    with pytest.raises(UserError, match=f"has loaded {MODULE}/features.py for an earlier job.*--mode process"):
        loaded.check_loaded(job(tmp_path / "second", features="VALUE = 2"))


def test_what_was_brought_and_not_loaded_may_change(tmp_path: Path) -> None:
    loaded.note_loaded(job(tmp_path / "first", features="VALUE = 1"))
    loaded.check_loaded(job(tmp_path / "second", features="VALUE = 2"))


def test_a_package_that_is_loaded_finds_a_module_that_only_the_next_job_brings(tmp_path: Path) -> None:
    brought = job(tmp_path / "first", features="VALUE = 1")
    importlib.import_module(f"{MODULE}.features")
    loaded.note_loaded(brought)
    loaded.check_loaded(job(tmp_path / "second", features="VALUE = 1", more="VALUE = 2"))
    assert importlib.import_module(f"{MODULE}.more").VALUE == 2
