"""What the README says of settings, packages and commands is true."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from twinstream.settings import Settings, environment_names, expectation

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_setting_is_listed_as_it_is(name: str) -> None:
    field = Settings.model_fields[name]
    first, *others = environment_names(name)
    variable = f"`{first}`" + "".join(f" (or `{other}`)" for other in others)
    default = f"`{field.default}`" if field.default not in (None, "") else ""
    assert f"| {variable} | {default} | {field.description} | {expectation(field)} |" in README


def test_every_direct_dependency_earns_its_place() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = pyproject["project"]["optional-dependencies"].values()
    groups = pyproject["dependency-groups"].values()
    lines = [*pyproject["project"]["dependencies"], *(line for more in (*extras, *groups) for line in more)]
    table = README.split("| package | what for |")[1].split("\n\n")[0]
    listed = {name for row in table.splitlines() for name in re.split(r"[,\s()`|]+", row)}
    assert {Requirement(line).name for line in lines} <= listed


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", " ".join(re.findall(r"`[^`\n]+`|^    .*$", README, re.MULTILINE))))
    assert {"demo", "test", "up"} <= named <= targets
