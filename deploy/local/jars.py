"""The jars that `deploy/pom.xml` pins, fetched by Maven once and kept under `.run/jars`."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from twinstream.errors import UserError

ROOT = Path(__file__).resolve().parent.parent.parent
RUN_DIRECTORY = ROOT / ".run"
POM = ROOT / "deploy" / "pom.xml"

JAVA_AT_LEAST = 17
_INSTALL = "Install Java 17 or newer and Maven, or Docker"


class MissingTool(UserError):
    """Something outside of Python is not installed, so that no real broker can run here."""


def java_binary() -> str:
    """Path of a Java that is new enough, from JAVA_HOME or PATH."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None or not Path(java).is_file():
        where = f"at JAVA_HOME ({home})" if home else "on PATH"
        raise MissingTool(f"Kafka needs Java, which was not found {where}. {_INSTALL}.")
    version = re.search(r'version "(\d+)', _told_version(java))
    if version is None or int(version[1]) < JAVA_AT_LEAST:
        found = version[1] if version else "an unknown version"
        raise MissingTool(f"Kafka needs Java {JAVA_AT_LEAST} or newer; {java} is {found}. {_INSTALL}.")
    return java


def java_build() -> str:
    """A name for the build of Java that is used: another one has another."""
    told = _told_version(java_binary())
    return hashlib.sha256("".join(re.findall(r"\(build ([^,)]+)", told)).encode()).hexdigest()[:12]


def jars_directory(profile: str) -> Path:
    """Where the jars of a profile of the pom are kept; another pom has another directory."""
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    return RUN_DIRECTORY / "jars" / f"{profile}-{digest}"


def require_tools(profile: str) -> None:
    """Refuse in one line if Java is missing, or Maven while the jars still have to be fetched."""
    java_binary()
    if not jars_directory(profile).is_dir() and shutil.which("mvn") is None:
        raise MissingTool(f"Kafka's jars are fetched by Maven, and mvn was not found on PATH. {_INSTALL}.")


def fetch_jars(profile: str) -> Path:
    """The directory with the jars of a profile of the pom, fetched now if they are not there yet."""
    directory = jars_directory(profile)
    if directory.is_dir():
        return directory
    require_tools(profile)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        fetched = Path(scratch) / "jars"
        command = ["mvn", "--batch-mode", "--quiet", "--file", str(POM), "--activate-profiles", profile]
        copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fetched}"]
        outcome = subprocess.run([*command, *copy], capture_output=True, text=True, check=False)
        if outcome.returncode != 0:
            raise UserError(f"Maven could not fetch the jars of {POM.name}: {_first_error(outcome.stdout)}")
        if not directory.is_dir():
            fetched.rename(directory)
    return directory


def _told_version(java: str) -> str:
    return subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr


def _first_error(output: str) -> str:
    lines = (line.split("[ERROR]", 1)[1].strip() for line in output.splitlines() if "[ERROR]" in line)
    return next((line for line in lines if line), "it said nothing")
