"""Flink's distribution, as the pip package brings it, made ready to run: libraries, configuration, environment.

The connector and flink-python go into the cluster's library folder. Loaded as a job's own code, the second job of a
process in thread mode would die of `NoSuchFieldException: loadedLibraryNames`.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from twinstream.definitions import files_of
from twinstream.errors import UserError
from twinstream.local.jars import Jars, java_binary
from twinstream.local.scratch import java_environment
from twinstream.packages import remedy
from twinstream.registry import Registry
from twinstream.settings import CONFIG_FILE

RUN_DIRECTORY = Path.cwd() / ".run"
FLINK_DIRECTORY = RUN_DIRECTORY / "flink"
FLINK = Jars("Flink", Path(__file__).with_name("pom.xml"), RUN_DIRECTORY / "jars")

_SHORT_LIVED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Java options of a program that ends within seconds: compiled for a long life, it takes twice the processor time."""

ENGINE = Path(__file__).resolve().parent.parent
SHIPPED = (ENGINE, CONFIG_FILE.parent)
"""What a worker of the job needs beside the feature definitions."""


def flink_home() -> Path:
    """Where the pip package has put Flink.

    Raises:
        UserError: it is not installed.
    """
    try:
        import pyflink
    except ImportError:
        raise UserError(remedy("pyflink")) from None
    return Path(pyflink.__file__).parent


def library_folder(directory: Path = FLINK_DIRECTORY) -> Path:
    """A folder with links to every jar that a cluster needs."""
    home, folder = flink_home(), directory / "lib"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    # A Flink within the job's process knows no plugins, so the reporter of metrics is among the libraries.
    shipped = ("lib/*.jar", "opt/flink-python-*.jar", "plugins/metrics-prometheus/*.jar")
    for jar in [*(jar for pattern in shipped for jar in home.glob(pattern)), *FLINK.fetch().glob("*.jar")]:
        (folder / jar.name).symlink_to(jar)
    return folder


def configuration_folder(options: Mapping[str, str], directory: Path = FLINK_DIRECTORY) -> Path:
    """A configuration folder: the package's own Java options and loggers, and these options."""
    home, folder = flink_home(), directory / "conf"
    folder.mkdir(parents=True, exist_ok=True)
    for file in home.glob("conf/log*"):
        shutil.copy(file, folder)
    shipped = yaml.safe_load((home / "conf" / "config.yaml").read_text())
    flat = {"env.java.opts.all": shipped["env"]["java"]["opts"]["all"], **options}
    (folder / "config.yaml").write_text(yaml.safe_dump(flat, width=10_000, allow_unicode=True), encoding="utf-8")
    return folder


def files_to_ship(registry: Registry) -> dict[str, Path]:
    """What the workers need of files, by their places in the folder that is shipped."""
    return {
        str(file.relative_to(ENGINE.parent)): file
        for folder in SHIPPED
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    } | files_of(registry)


def shipped_sources(registry: Registry, directory: Path = FLINK_DIRECTORY) -> Path:
    """A folder with the packages that the workers import; Flink copies it to each of them."""
    files = files_to_ship(registry)
    digest = hashlib.sha256()
    for place in sorted(files):
        digest.update(place.encode() + files[place].read_bytes())
    folder = directory / f"sources-{digest.hexdigest()[:12]}"
    if not folder.is_dir():
        for old in directory.glob("sources-*"):
            shutil.rmtree(old)
        for place, file in files.items():
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    return folder


def prepare(options: Mapping[str, str], directory: Path = FLINK_DIRECTORY) -> None:
    """Write libraries and configuration into a directory."""
    for name in ("log", "pid"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    library_folder(directory)
    configuration_folder(options, directory)


def environment(scratch: Path, directory: Path = FLINK_DIRECTORY) -> dict[str, str]:
    """The environment in which Flink and its Python workers find what `prepare` has written.

    Args:
        scratch: for the process's temporary files.
        directory: that `prepare` has written to.
    """
    home = flink_home()
    return {
        **os.environ,
        **java_environment(scratch),
        **_without_proxy(os.environ),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "FLINK_HOME": str(home),
        "FLINK_OPT_DIR": str(home / "opt"),
        "FLINK_PLUGINS_DIR": str(home / "plugins"),
        "FLINK_LIB_DIR": str(directory / "lib"),
        "FLINK_CONF_DIR": str(directory / "conf"),
        "FLINK_LOG_DIR": str(directory / "log"),
        "FLINK_PID_DIR": str(directory / "pid"),
    }


def temporary_folder(directory: Path) -> Path:
    """Where the processes that keep their files in a directory have their folders for temporary ones.

    A script of PyFlink's takes the path of such a folder apart where there is a space in it, and writes to the parts.
    So then they are in the system's folder.
    """
    if not any(letter.isspace() for letter in str(directory)):
        return directory / "tmp"
    return Path(tempfile.gettempdir()) / f"twinstream-{hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]}"


def client_command(directory: Path = FLINK_DIRECTORY) -> list[str]:
    """How to call Flink's command-line client. Its own script cannot have a space in the path of its libraries."""
    configuration = directory / "conf"
    options = yaml.safe_load((configuration / "config.yaml").read_text(encoding="utf-8"))["env.java.opts.all"]
    return [
        java_binary(FLINK.name),
        *_SHORT_LIVED,
        *str(options).split(),
        f"-Dlog.file={directory / 'log' / 'client.log'}",
        f"-Dlog4j.configurationFile={configuration / 'log4j-cli.properties'}",
        "-classpath",
        f"{directory / 'lib'}/*",
        "org.apache.flink.client.cli.CliFrontend",
    ]


def _without_proxy(given: Mapping[str, str]) -> dict[str, str]:
    """What keeps Flink's parts on this machine from talking to each other through the proxy of a company's network."""
    excepted = [name for name in (given.get("no_proxy"), given.get("NO_PROXY"), "localhost,127.0.0.1") if name]
    return dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join(excepted))
