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

from twinstream.core.feature_group import FeatureGroup
from twinstream.core.validation import DefinitionError
from twinstream.declare.group import definition_of
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
        UserError: a module is not there, does not run or defines no group, two groups share a name, or two
            read one topic by different keys.
    """
    return _loaded(names.strip() or _default())


@cache
def _loaded(names: str) -> Registry:
    groups: dict[int, FeatureGroup] = {}
    modules, notes = [], []
    for name in filter(None, (part.strip() for part in names.split(","))):
        module = _module(name)
        defined = vars(module)
        named = [definition_of(defined.get(each)) for each in getattr(module, "__all__", defined)]
        found = [group for group in named if group is not None]
        if not found:
            raise UserError(f"{name} defines no feature group.")
        groups |= {id(group): group for group in found}
        modules.append(module.__name__)
        notes.append(getattr(module, NOTES, ""))
    return Registry(groups.values(), ",".join(modules), "\n\n".join(filter(None, notes)))


def files_of(registry: Registry) -> dict[str, Path]:
    """The Python files that a process elsewhere needs to load the same groups, by where they belong below its path."""
    files: dict[str, Path] = {}
    for top in {module.split(".")[0] for module in registry.source.split(",")}:
        spec = importlib.util.find_spec(top)
        assert spec is not None
        for folder in map(Path, spec.submodule_search_locations or ()):
            files |= {str(file.relative_to(folder.parent)): file for file in folder.rglob("*.py")}
        if spec.submodule_search_locations is None and spec.origin is not None:
            files[Path(spec.origin).name] = Path(spec.origin)
    return files


def _default() -> str:
    return ",".join(sorted(point.value for point in entry_points(group=ENTRY_POINTS))) or REFERENCE


def _module(name: str) -> ModuleType:
    """The module of a name or of a file, run if it has not been."""
    module, folder = _of_file(Path(name)) if name.endswith(".py") else (name, Path.cwd())
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # a command that is installed does not look where it is typed
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise UserError(
                f"There is no module {name}. FEATURES or --features names the modules with the feature definitions, "
                "like shop.features, or their files, like shop/features.py."
            ) from None
        raise UserError(_told(name, error)) from error
    except (Exception, SystemExit) as error:
        raise UserError(_told(name, error)) from error
    file = getattr(loaded, "__file__", None)
    # A copy will do: a job on a cluster finds the one that was shipped with it.
    if name.endswith(".py") and (file is None or Path(file).read_bytes() != Path(name).read_bytes()):
        raise UserError(f"{name} would be the module {module}, and there is another one, {file}. Rename the file.")
    return loaded


def _of_file(path: Path) -> tuple[str, Path]:
    """The name of a file as a module, and the folder to look for it in.

    Raises:
        UserError: there is no such file.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    parts = path.with_suffix("").parts
    if not path.is_absolute() and all(part.isidentifier() for part in parts):
        return ".".join(parts), Path.cwd()  # as the same file is named as a module
    name, folder = path.stem, path.resolve().parent
    while (folder / "__init__.py").is_file():  # in a package it has its name there, whatever else is called as it is
        name, folder = f"{folder.name}.{name}", folder.parent
    return name, folder


def _told(name: str, error: BaseException) -> str:
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
