"""The exported requirement files against the lock, the lock against pyproject.toml; no network needed."""

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
EXPORTS = {
    "requirements.txt": ("local", "producers", "offline", "aws", "profile"),
    "flink/requirements.txt": ("flink",),
}
LOCKS = ["requirements.lock", "benchmarks/requirements.txt", *EXPORTS]

RENEW = 'run "make lock"'


def pins(name: str) -> dict[str, set[str]]:
    """Package name → pinned versions (several where markers tell them apart)."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / name).read_text().splitlines():
        pin = re.match(r"([A-Za-z0-9._-]+)==([^ ;\\]+)", line)
        if pin:
            found.setdefault(canonicalize_name(pin[1]), set()).add(pin[2])
    return found


def closure(requirements: list[str]) -> set[str]:
    """Names of all packages that `requirements` need here, by what the installed packages say."""
    needed: set[tuple[str, str]] = set()
    waiting = [(Requirement(line), "") for line in requirements]
    while waiting:
        requirement, extra_of_parent = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra_of_parent}):
            continue
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) not in needed:
                needed.add((name, extra))
                waiting += [(Requirement(line), extra) for line in metadata.requires(name) or []]
    return {name for name, _ in needed}


def extras_of(stamp: str) -> list[str]:
    """The extras that the Makefile installs for a stamp."""
    makefile = (ROOT / "Makefile").read_text()
    (recipe,) = re.findall(rf"^\$\({stamp}\):.*\n(?:\t@echo .*\n)?\t(.+)", makefile, re.MULTILINE)
    return re.findall(r"--extra (\w+)", recipe)


def installed_for(stamp: str) -> set[str]:
    """Names of all packages that the Makefile installs for a stamp."""
    return closure([*PROJECT["dependencies"], *(line for extra in extras_of(stamp) for line in EXTRAS[extra])])


def test_what_pip_cannot_resolve_says_in_its_first_line_how_it_is_installed() -> None:
    first, _, _ = (ROOT / "flink" / "requirements.txt").read_text().partition("\n")
    assert first.startswith("# pip install --no-deps -r flink/requirements.txt")
    assert first in (ROOT / "Makefile").read_text(), "`make lock` keeps it"


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_host_and_hashes_everything(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if entry.strip() and not entry.startswith("#")]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)


def test_lock_holds_every_direct_dependency_in_a_wanted_version() -> None:
    locked = pins("requirements.lock")
    for line in [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]:
        requirement = Requirement(line)
        versions = locked.get(canonicalize_name(requirement.name), set())
        assert any(requirement.specifier.contains(version) for version in versions), f"{line}: {RENEW}"


@pytest.mark.parametrize("name", EXPORTS)
def test_export_has_the_locks_versions(name: str) -> None:
    locked = pins("requirements.lock")
    for package, versions in pins(name).items():
        assert versions <= locked.get(package, set()), f"{package}: {RENEW}"


@pytest.mark.parametrize("name", EXPORTS)
def test_export_is_complete_and_has_nothing_for_nobody(name: str) -> None:
    wanted = [*PROJECT["dependencies"], *(line for extra in EXPORTS[name] for line in EXTRAS[extra])]
    exported = set(pins(name))
    assert closure(wanted) <= exported, RENEW
    of_other_systems = {"async-timeout", "colorama", "pywin32", "tzdata"}
    assert exported - closure(wanted) <= of_other_systems, RENEW


def test_file_at_the_root_has_what_every_producer_needs() -> None:
    assert {"boto3", "duckdb", "numpy", "polars", "ydata-profiling"} <= set(pins("requirements.txt"))


def test_loop_is_installed_without_flink_and_aws() -> None:
    assert extras_of("LOOP") == ["local", "producers"]
    assert not {"apache-flink", "boto3", "botocore", "moto"} & installed_for("LOOP")


def test_tests_of_the_features_run_with_what_is_installed_for_them() -> None:
    needed = installed_for("TEST")
    assert not {"apache-flink", "apache-beam", "boto3", "polars", "pyarrow"} & needed
    absent = [
        module
        for module, owners in metadata.packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & (needed | {"pip", "setuptools", "twinstream"})
    ]
    without_them = f"import runpy, sys; sys.modules.update(dict.fromkeys({absent!r})); sys.argv = sys.argv[1:]; "
    run_it = without_them + "runpy.run_path(sys.argv[0], run_name='__main__')"
    collecting = subprocess.run(
        [sys.executable, "-c", run_it, "flink/test_stream_processor.py", "--collect-only", "-p", "no:cacheprovider"],
        env=os.environ
        | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_timeout,_hypothesis_pytestplugin"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert collecting.returncode == 0, collecting.stdout + collecting.stderr
