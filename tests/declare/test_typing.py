"""What mypy, strict, knows of a user's file."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.declare.sign_ins import SIGN_INS

ROOT = Path(__file__).resolve().parents[2]

ASKED = """
    @feature()
    def asked(self) -> int:
        \"\"\"What mypy knows.\"\"\"
        reveal_type(self.login_count)
        reveal_type(self.last_ip)
        reveal_type(self.failure_rate)
        reveal_type(self.window.size_ms)
        return self.failed_count
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


def told(folder: Path, cache: Path, text: str) -> list[str]:
    """What mypy says of a file of definitions: its lines without the place and the sum at the end."""
    (folder / "shop.py").write_text(text)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        str(cache),
        "--follow-imports=silent",
        "shop.py",
    ]
    environment = {"MYPYPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert not done.stderr
    return [line.split(": ", 2)[2] for line in done.stdout.splitlines()[:-1]]


def test_the_sign_ins_are_right(tmp_path: Path, cache: Path) -> None:
    assert told(tmp_path, cache, SIGN_INS) == []


def test_the_type_of_every_feature_is_known_in_the_methods(tmp_path: Path, cache: Path) -> None:
    assert told(tmp_path, cache, SIGN_INS + ASKED) == [
        'Revealed type is "int"',
        'Revealed type is "str | None"',
        'Revealed type is "float | None"',
        'Revealed type is "int"',
    ]


WRONG = {
    "a field that is not there": ("last(Login.ip)", "last(Login.ipp)", '"type[Login]" has no attribute "ipp"'),
    "a feature that is not there": (
        "self.failed_count /",
        "self.failed /",
        '"LoginFeatures" has no attribute "failed"',
    ),
    "a sum of text": ("last(Login.ip)", "sum(Login.ip)", 'Argument 1 to "sum" has incompatible type "str | None"'),
    "a time that is text": (
        "time=Login.at",
        "time=Login.ip",
        'Argument "time" to "__init_subclass__" of "FeatureGroup"',
    ),
    "a method that does not return what it says": (
        "if self.login_count else None",
        "if self.login_count else self.last_ip",
        'Incompatible return value type (got "float | str | None", expected "float | None")',
    ),
}


@pytest.mark.parametrize(("before", "after", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(tmp_path: Path, cache: Path, before: str, after: str, said: str) -> None:
    assert before in SIGN_INS
    text = SIGN_INS.replace(before, after).replace("distinct, feature, last", "distinct, feature, last, sum")
    (line,) = told(tmp_path, cache, text)
    assert said in line
