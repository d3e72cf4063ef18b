"""A package that is missing is one line with the command that installs it, wherever it is missed."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from twinstream.packages import INSTALLED_BY, OLDEST, missing_packages_named, remedy

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

BARE = (
    ["-m", "producers", "seed"],
    ["-m", "store", "get", "transaction", "card"],
    ["-m", "features", "catalog"],
    ["-m", "twinstream", "catalog"],
    ["-m", "deploy.local", "up"],
    ["-m", "twinstream", "flink", "run"],
    ["-m", "deploy.demo"],
    ["flink/stream_processor.py"],
    ["flink/test_stream_processor.py"],
    ["flink/jobs/feature_job.py"],
)
"""What a reader types with a Python that has none of our packages."""

LACKING = (
    ("boto3", ["-m", "producers", "kinesis"], "make venv-data"),
    ("polars", ["-m", "producers", "parquet"], "make venv-data"),
    ("duckdb", ["-m", "producers", "validate", "README.md"], "make venv-data"),
    ("dotenv", ["-m", "producers", "upload", "README.md"], "make venv-data"),
    ("polars", ["-m", "producers", "replay", "README.md"], "make venv-data"),
    ("polars", ["-m", "store", "backfill", "--in", "README.parquet"], "make venv-data"),
    ("typer", ["-m", "store", "get"], "make venv"),
    ("pytest", ["flink/test_stream_processor.py"], "make test-features"),
    ("pyflink", ["-m", "twinstream", "flink", "up"], "make venv-flink"),
    ("uvicorn", ["-m", "twinstream", "serve"], "make venv-serving"),
)
"""What is missing, where that is noticed, and what installs it."""


def one_line(outcome: subprocess.CompletedProcess[str]) -> str:
    assert outcome.returncode == 2, outcome.stderr
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("error: ")
    assert outcome.stderr.count("\n") == 1
    return outcome.stderr


@pytest.mark.parametrize("arguments", BARE, ids=" ".join)
def test_a_python_without_our_packages_is_told_so_in_one_line(arguments: list[str]) -> None:
    python = [sys.executable, "-I", "-S", "-c"]  # no site-packages
    run = (
        "import runpy, sys; sys.path.insert(0, '.'); first, *sys.argv = sys.argv[1:]; "
        "name = sys.argv[0] if first == '-m' else first; sys.argv[0:0] = [] if first == '-m' else [first]; "
        "(runpy.run_module if first == '-m' else runpy.run_path)(name, run_name='__main__')"
    )
    line = one_line(subprocess.run([*python, run, *arguments], capture_output=True, text=True, cwd=ROOT, check=False))
    assert "source .venv/bin/activate" in line or "Run: make venv" in line


@pytest.mark.parametrize(("module", "arguments", "command"), LACKING)
def test_a_package_that_is_missed_names_the_command_that_installs_it(
    module: str, arguments: list[str], command: str
) -> None:
    hidden = f"import runpy, sys; sys.modules['{module}'] = None; sys.path.insert(0, ''); "
    if arguments[0] == "-m":
        run = hidden + "sys.argv = sys.argv[2:]; runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
    else:
        run = hidden + "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    outcome = subprocess.run(
        [sys.executable, "-c", run, *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert one_line(outcome) == f"error: {module} is not installed here. Run: {command}\n"


def test_the_job_started_past_its_starter_says_what_starts_it() -> None:
    outcome = subprocess.run(
        [sys.executable, "flink/jobs/feature_job.py"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert one_line(outcome).endswith("Start it with: make run-flink\n")


def test_an_environment_that_has_it_is_to_be_activated(tmp_path: Path) -> None:
    assert remedy("polars", tmp_path) == (
        "polars is not installed here. Run: make venv-data && source .venv/bin/activate"
    )
    (tmp_path / ".venv" / "lib" / "python3.11" / "site-packages" / "polars").mkdir(parents=True)
    assert remedy("polars.io", tmp_path).endswith("in the project's environment. Run: source .venv/bin/activate")


def test_a_python_that_is_too_old_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 8, 18))
    with pytest.raises(SystemExit), missing_packages_named():
        pytest.fail("it was let through")
    assert "This is Python 3.8 (" in capsys.readouterr().err
    assert OLDEST == (3, 11)


def test_a_module_that_is_not_one_of_ours_stays_a_fault() -> None:
    with pytest.raises(ModuleNotFoundError), missing_packages_named():
        import nowhere_to_be_found  # type: ignore[import-not-found]  # noqa: F401


def test_every_command_that_installs_is_a_target_of_make() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in set(INSTALLED_BY.values()):
        assert f"\n{command.removeprefix('make ')}: " in makefile


def test_every_package_of_ours_is_known() -> None:
    imported = {
        "apache-beam": "apache_beam", "apache-flink": "pyflink", "kafka-python": "kafka", "python-dotenv": "dotenv",
        "pyyaml": "yaml", "setuptools": "pkg_resources",
    }  # fmt: skip
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *(line for name, more in extras.items() if name != "dev" for line in more)]
    names = {Requirement(line).name for line in lines}
    assert {imported.get(name, name.replace("-", "_")) for name in names} <= INSTALLED_BY.keys()


def test_nothing_advises_a_line_that_pip_cannot_resolve() -> None:
    """Beam asks for redis<6, we for redis>=8; the suite of the exports proves the file complete without resolving."""
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("[a-z]*/**/*.py")]:
        if path == Path(__file__):
            continue
        for line in path.read_text().splitlines():
            typed_by_others = line.startswith("| `pip install")  # the README's table of old lines: what came of it
            assert typed_by_others or "pip install -r flink/requirements.txt" not in line, f"{path}: {line}"
