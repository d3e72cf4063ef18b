"""What the import contracts cannot say: who may use which library, and what pure code may touch."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("twinstream", "features", "flink", "store", "producers", "deploy")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

IMPORTED_AS = {
    "apache-flink": "pyflink",
    "kafka-python": "kafka",
    "prometheus-client": "prometheus_client",
    "pydantic-settings": "pydantic_settings",
    "python-dotenv": "dotenv",
    "pyyaml": "yaml",
    "ydata-profiling": "ydata_profiling",
}
IMPURE = {"asyncio", "logging", "os", "random", "secrets", "socket", "time", "uuid"}


def imports(path: Path) -> Iterator[str]:
    """Top-level names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.split(".")[0]


def modules(room: str) -> list[Path]:
    return [path for path in sorted((ROOT / room).rglob("*.py")) if not path.name.startswith("test_")]


def libraries(*extras: str) -> set[str]:
    """Import names of the base dependencies and those of `extras`."""
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    names = {Requirement(line).name for line in lines}
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}


ALLOWED = {
    "twinstream": libraries(),
    "twinstream/core": {"msgspec"},
    "twinstream/declare": {"msgspec"},
    "twinstream/offline": libraries("offline"),
    "twinstream/audit": libraries("offline"),
    "twinstream/job": libraries("flink") | {"py4j"},
    "twinstream/local": libraries("flink"),
    "twinstream/serving": libraries("serving"),
    "features": {"msgspec"},
    "flink": {"pytest"},
    "store": set(),
    "producers": libraries("producers", "offline", "aws", "profile") | {"botocore"},
    "deploy": libraries("flink", "aws") | {"moto"},
}


MORE = {
    "parquet.py": {"polars"},
    "testing.py": libraries("test"),
}
"""What a file of that name may use besides: Parquet is read where the extra `offline` is, and what helps a user's tests
uses what tests use."""


@pytest.mark.parametrize("room", ALLOWED)
def test_room_uses_only_declared_libraries(room: str) -> None:
    inner = [other for other in ALLOWED if other.startswith(f"{room}/")]
    for path in modules(room):
        if any(path.is_relative_to(ROOT / other) for other in inner):
            continue
        foreign = set(imports(path)) - sys.stdlib_module_names - set(ROOMS)
        allowed = ALLOWED[room] | MORE.get(path.name, set())
        assert foreign <= allowed, path


@pytest.mark.parametrize("room", ["twinstream/core", "twinstream/declare", "features"])
def test_pure_code_touches_no_clock_no_chance_and_no_outside_world(room: str) -> None:
    for path in modules(room):
        assert not set(imports(path)) & IMPURE, path


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_grows_beyond_a_few_hundred_lines(room: str) -> None:
    for path in modules(room):
        assert len(path.read_text().splitlines()) <= 400, path


ONE_PLACE = ROOT / "twinstream" / "terminal.py"
MADE_THERE = {
    "Console",
    "Prompt.from_markup",
    "Spinner",
    "Text",
    "Text.from_markup",
    "print",
    "render_markup",
    "typer.Typer",
}
MARKUP = re.compile(r"\[/?(bold|dim|red|green|yellow|blue|cyan|italic)|\[/\]")


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_printed_is_never_markup(room: str) -> None:
    """An id such as `[/red]` has to be shown as it is: see `twinstream.terminal`."""
    for path in modules(room):
        if path == ONE_PLACE:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            place = f"{path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in MADE_THERE, place
                options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert called != "TextColumn" or options.get("markup") == "False", place
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not MARKUP.search(node.value), place


def test_no_room_hides_a_library() -> None:
    assert not {"pyflink", "kafka", "redis"} & {path.name for path in ROOT.iterdir()}


def test_no_script_lies_beside_a_module_that_is_named_as_a_package_of_ours() -> None:
    """A script finds the modules beside it first."""
    for folder in ("benchmarks/contenders", "flink/jobs", "scripts"):
        assert not set(ROOMS) & {path.stem for path in (ROOT / folder).glob("*.py")}, folder
