"""Loading feature groups: the modules that `FEATURES` or `--features` name, each with the groups that stand in it.

Of a module that has `__all__`, the groups named there count, in that order; of any other all that it has.
"""

import importlib
import importlib.util
import sys
import traceback
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TypeGuard

from twinstream.core.definition import DefinitionError
from twinstream.core.feature_group import FeatureGroup
from twinstream.errors import UserError
from twinstream.registry import Registry

ENTRY_POINTS = "twinstream.features"
"""Under this name an installed package says which of its modules define features."""

NOTES = "CATALOG_NOTES"
"""A module of definitions may say here, in Markdown, what the catalog's page is to say after its table."""

REFERENCE = "features"
"""The module of the definitions that come with the engine's repository."""


def load_registry(names: str = "") -> Registry:
    """The groups of some modules.

    Args:
        names: modules (`shop.features`) or files (`shop/features.py`), with commas between; empty for those that
            installed packages name, or else the reference definitions.

    Raises:
        UserError: a module is not there, does not run or defines no group, or two groups share a name or a topic.
    """
    return _loaded(names.strip() or _default())


@cache
def _loaded(names: str) -> Registry:
    groups: dict[int, FeatureGroup] = {}
    notes: list[str] = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        module = _module(name)
        defined = vars(module)
        found = [each for name in getattr(module, "__all__", defined) if _is_group(each := defined.get(name))]
        if not found:
            raise UserError(f"{name} defines no feature group.")
        groups |= {id(group): group for group in found}
        notes += [getattr(module, NOTES, "")]
    return Registry(groups.values(), names, "\n\n".join(filter(None, notes)))


def _is_group(value: object) -> TypeGuard[FeatureGroup]:
    return isinstance(value, FeatureGroup)


def _default() -> str:
    return ",".join(sorted(point.value for point in entry_points(group=ENTRY_POINTS))) or REFERENCE


def _module(name: str) -> ModuleType:
    """The module of a name or of a file, run if it has not been."""
    path = Path(name)
    try:
        return _file(path) if name.endswith(".py") else _named(name)
    except UserError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UserError(
                f"There is no module {name}. FEATURES or --features names the modules with the feature definitions, "
                "like shop.features, or their files, like shop/features.py."
            ) from None
        raise UserError(_told(name, error)) from error
    except Exception as error:
        raise UserError(_told(name, error)) from error


def _named(name: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # a command that is installed does not look where it is typed
    return importlib.import_module(name)


def _file(path: Path) -> ModuleType:
    """A file as a module of the file's name; where there is none, that module, which has come another way."""
    if not path.is_file():
        if importlib.util.find_spec(path.stem) is None:
            raise UserError(f"There is no file {path}.")
        return importlib.import_module(path.stem)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _told(name: str, error: Exception) -> str:
    """What went wrong, and the line of the definitions where it did."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    own = Path(__file__).parent
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not Path(frame.filename).is_relative_to(own) and not frame.filename.startswith("<frozen")
    ]
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else f"{name} does not load"
    return f"{place}: {error}." if isinstance(error, DefinitionError) else f"{place}: {type(error).__name__}: {error}"
