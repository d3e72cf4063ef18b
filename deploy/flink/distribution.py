"""Flink's distribution, as the pip package brings it, made ready to run: libraries, configuration, environment.

The connector and flink-python go into the cluster's library folder. Loaded as a job's own code, the second job of a
process in thread mode would die of `NoSuchFieldException: loadedLibraryNames`.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from deploy.local.jars import ROOT, RUN_DIRECTORY, fetch_jars
from runtime.errors import UserError

FLINK_DIRECTORY = RUN_DIRECTORY / "flink"

SHIPPED = ("features", "runtime", "store", "flink", "config")
"""What a worker of the job needs of this repository."""


def flink_home() -> Path:
    """Where the pip package has put Flink.

    Raises:
        UserError: it is not installed.
    """
    try:
        import pyflink
    except ImportError:
        remedy = 'Use "make run-flink", or: pip install -r flink/requirements.txt'
        raise UserError(f"PyFlink is not installed. {remedy}") from None
    return Path(pyflink.__file__).resolve().parent


def library_folder(directory: Path = FLINK_DIRECTORY) -> Path:
    """A folder with links to every jar that a cluster needs."""
    home, folder = flink_home(), directory / "lib"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for jar in [*home.glob("lib/*.jar"), *home.glob("opt/flink-python-*.jar"), *fetch_jars("flink").glob("*.jar")]:
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
    (folder / "config.yaml").write_text(yaml.safe_dump(flat, width=10_000))
    return folder


def shipped_sources(directory: Path = FLINK_DIRECTORY) -> Path:
    """A folder with the packages that the workers import; Flink copies it to each of them."""
    files = sorted(
        file
        for name in SHIPPED
        for file in (ROOT / name).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and not file.name.startswith("test_")
    )
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    folder = directory / f"sources-{digest.hexdigest()[:12]}"
    if not folder.is_dir():
        for old in directory.glob("sources-*"):
            shutil.rmtree(old)
        for file in files:
            target = folder / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    return folder


def prepare(options: Mapping[str, str], directory: Path = FLINK_DIRECTORY) -> dict[str, str]:
    """Write libraries, configuration and sources into a directory; return the environment that finds them."""
    for name in ("log", "pid", "tmp"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    library_folder(directory)
    configuration_folder(options, directory)
    return environment(directory)


def environment(directory: Path = FLINK_DIRECTORY) -> dict[str, str]:
    """The environment in which Flink's scripts and its Python gateway find what `prepare` has written."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "FLINK_HOME": str(flink_home()),
        "FLINK_LIB_DIR": str(directory / "lib"),
        "FLINK_CONF_DIR": str(directory / "conf"),
        "FLINK_LOG_DIR": str(directory / "log"),
        "FLINK_PID_DIR": str(directory / "pid"),
        "TWINSTREAM_SOURCES": str(shipped_sources(directory)),
    }
