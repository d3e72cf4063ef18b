"""`twinstream init`: a small project of one's own, which is green at once."""

from importlib.resources import files
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from twinstream.errors import UserError
from twinstream.packages import engine_checkout
from twinstream.terminal import Terminal

NAME = "__NAME__"
PLACES = {
    "features.py.txt": f"{NAME}/features.py",
    "test_features.py.txt": "tests/test_features.py",
    "Makefile.txt": "Makefile",
    "README.md.txt": "README.md",
    "pyproject.toml.txt": "pyproject.toml",
    "compose.yaml.txt": "compose.yaml",
    "ci.yml.txt": ".github/workflows/ci.yml",
    "gitignore.txt": ".gitignore",
}
"""The files of the template, and where they go; `__NAME__` stands for the project's name, in the files, too."""


def init(name: Annotated[str, typer.Argument(help="Of the project: a folder, and a Python package in it.")]) -> None:
    """Write a project with definitions, a test, a Makefile, Kafka and Redis for Docker, and a page that explains."""
    if not name.isidentifier() or name in ("features", "tests", "twinstream"):
        raise UserError(f"{name!r} cannot be the project's name: it is a Python package, too. Take one like shop.")
    folder = Path(name)
    if folder.exists():
        raise UserError(f"{name} is there already. Choose another name, or another folder to be in.")
    for place, text in project(name).items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, encoding="utf-8")
    checkout = engine_checkout()
    engine = f" TWINSTREAM={quote(str(checkout))}" if checkout else ""
    Terminal().say(f"Written: {name}/. Next: cd {name} && make test{engine}")


def project(name: str) -> dict[str, str]:
    """The files of a project by where they belong in it."""
    template = files("twinstream") / "template"
    written = {
        place.replace(NAME, name): (template / source).read_text(encoding="utf-8").replace(NAME, name)
        for source, place in PLACES.items()
    }
    return written | {f"{name}/__init__.py": "", "tests/__init__.py": ""}
