"""Java, and the jars that a pom pins, fetched by Maven once."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from twinstream.errors import UserError

JAVA_AT_LEAST = 17
_INSTALL = "Install Java 17 or newer and Maven, or Docker"


class MissingTool(UserError):
    """Something outside of Python is not installed, so that what needs it cannot run here."""


def java_binary(needed_by: str) -> str:
    """Path of a Java that is new enough, from JAVA_HOME or PATH.

    Raises:
        MissingTool: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None or not Path(java).is_file():
        where = f"at JAVA_HOME ({home})" if home else "on PATH"
        raise MissingTool(f"{needed_by} needs Java, which was not found {where}. {_INSTALL}.")
    version = re.search(r'version "(\d+)', _told_version(java))
    if version is None or int(version[1]) < JAVA_AT_LEAST:
        found = version[1] if version else "an unknown version"
        raise MissingTool(f"{needed_by} needs Java {JAVA_AT_LEAST} or newer; {java} is {found}. {_INSTALL}.")
    return java


def java_build(java: str) -> str:
    """A name for the build of Java that a program is of: another one has another."""
    return hashlib.sha256("".join(re.findall(r"\(build ([^,)]+)", _told_version(java))).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Jars:
    """The jars that a pom pins.

    Attributes:
        name: whose they are.
        pom: what pins them.
        kept_in: the folder for this and other poms' jars.
    """

    name: str
    pom: Path
    kept_in: Path

    @property
    def directory(self) -> Path:
        """Where they are kept; those of another pom are elsewhere."""
        return self.kept_in / f"{self.name.lower()}-{hashlib.sha256(self.pom.read_bytes()).hexdigest()[:12]}"

    def require_tools(self) -> None:
        """Refuse in one line if Java is missing, or Maven while the jars still have to be fetched.

        Raises:
            MissingTool: one of them is.
        """
        java_binary(self.name)
        if not self.directory.is_dir() and shutil.which("mvn") is None:
            raise MissingTool(f"{self.name}'s jars are fetched by Maven, and mvn was not found on PATH. {_INSTALL}.")

    def fetch(self) -> Path:
        """The directory with the jars, fetched now if they are not there yet.

        Raises:
            UserError: they cannot be.
        """
        if self.directory.is_dir():
            return self.directory
        self.require_tools()
        self.kept_in.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.kept_in) as scratch:
            fetched = Path(scratch) / "jars"
            command = ["mvn", "--batch-mode", "--quiet", "--file", str(self.pom), "dependency:copy-dependencies"]
            command += ["-DincludeScope=runtime", f"-DoutputDirectory={fetched}"]
            outcome = subprocess.run(command, capture_output=True, text=True, check=False)
            if outcome.returncode != 0:
                raise UserError(f"Maven could not fetch {self.name}'s jars: {_first_error(outcome.stdout)}")
            if not self.directory.is_dir():
                fetched.rename(self.directory)
        return self.directory


def _told_version(java: str) -> str:
    return subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr


def _first_error(output: str) -> str:
    lines = (line.split("[ERROR]", 1)[1].strip() for line in output.splitlines() if "[ERROR]" in line)
    return next((line for line in lines if line), "it said nothing")
