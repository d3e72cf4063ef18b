"""What the first broker leaves for the next ones: they start sooner, and are what they would have been."""

import subprocess
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from deploy.local import LocalKafka, free_port, head_start
from deploy.local.paths import KAFKA
from twinstream.errors import UserError
from twinstream.local.jars import java_binary


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the head start is kept: nothing is there yet."""
    here = replace(KAFKA, kept_in=tmp_path)
    monkeypatch.setattr(head_start, "KAFKA", here)
    return here.directory.with_name(f"{here.directory.name}-start")


def test_the_second_broker_has_its_classes_and_its_data_folder_from_the_first(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (LocalKafka(tmp_path / name, free_port()) for name in ("first", "second"))
    first.start()
    first.stop()
    (archive,) = kept.glob("*.jsa")

    def refuse(*_: object) -> None:
        raise UserError("formatted once more")

    monkeypatch.setattr(second, "_format", refuse)
    second.start()
    try:
        assert second.pid is not None
        assert str(archive) in {mapped.path for mapped in psutil.Process(second.pid).memory_maps()}
    finally:
        second.kill()
    formatted = [path.relative_to(kept) for path in sorted(kept.iterdir()) if path != archive]
    assert all((first.data / name).read_bytes() == (second.data / name).read_bytes() for name in formatted)


def test_an_archive_that_does_not_fit_is_ignored(tmp_path: Path, kept: Path) -> None:
    (name,) = (Path(option.partition("=")[2]).name for option in head_start.class_options(tmp_path))
    kept.mkdir()
    (kept / name).write_bytes(b"of another Java")
    (option,) = head_start.class_options(tmp_path)
    assert option == f"-XX:SharedArchiveFile={kept / name}"
    subprocess.run([java_binary("Kafka"), option, "-version"], check=True, capture_output=True)
