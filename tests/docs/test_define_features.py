"""The page that teaches how features are defined: its code runs, its commands print that, its tables are the code's."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from twinstream.declare import vocabulary
from twinstream.declare.group import definition_of
from twinstream.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
PATH = ROOT / "docs" / "define-features.md"
PAGE = PATH.read_text()
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^```console\n\$ twinstream (.*?)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
TABLES = {"sales": vocabulary.sales, "words": vocabulary.table}


def test_its_code_runs_from_top_to_bottom() -> None:
    defined: dict[str, Any] = {"__name__": "twinstream_page"}
    sys.modules["twinstream_page"] = type(sys)("twinstream_page")
    vars(sys.modules["twinstream_page"]).update(defined)
    for snippet in SNIPPETS:
        exec(compile(snippet, str(PATH), "exec"), vars(sys.modules["twinstream_page"]))
    groups = [each for each in vars(sys.modules["twinstream_page"]).values() if definition_of(each) is not None]
    assert Registry(groups).names == ("login", "payment", "visit", "night")


def test_its_code_is_right_for_mypy_strict(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text("\n".join(SNIPPETS))
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "page.py"]
    environment = {"MYPYPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [*command, "--follow-imports=silent"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "Success: no issues found in 1 source file\n"


@pytest.mark.parametrize(("words", "printed"), COMMANDS, ids=[words for words, _ in COMMANDS])
def test_its_commands_print_what_it_shows(words: str, printed: str, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "features.py").write_text(SNIPPETS[0])
    (tmp_path / "shop" / "wrong.py").write_text(SNIPPETS[0].replace("last(Login.ip)", "last(Login.ipp)"))
    done = subprocess.run(
        [sys.executable, "-m", "twinstream", *words.split()],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": "100"},
        check=False,
    )
    assert [line.rstrip() for line in (done.stdout + done.stderr).replace(f"{tmp_path}/", "").splitlines()] == [
        line.rstrip() for line in printed.splitlines()
    ]


@pytest.mark.parametrize("name", TABLES)
def test_its_tables_are_made_from_the_code(name: str) -> None:
    made = TABLES[name].__name__
    said = re.search(rf"<!-- {name} -->\n(.*?)\n?<!-- end -->", PAGE, re.DOTALL)
    assert said is not None
    assert said[1] == TABLES[name](), f"stale: put what twinstream.declare.vocabulary.{made}() gives between the marks"
