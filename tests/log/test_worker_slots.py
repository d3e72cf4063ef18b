"""Worker slots: one holder each, and free again however the holder ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from twinstream.errors import UserError
from twinstream.log.kafka.worker_slots import WorkerSlot

HOLDER = """
import sys, time
from pathlib import Path
from twinstream.log.kafka.worker_slots import WorkerSlot
slot = WorkerSlot("servers", "group", None, Path(sys.argv[1]))
print(slot.number, flush=True)
time.sleep(300)
"""


def test_first_free_slot_is_taken(tmp_path: Path) -> None:
    slots = [WorkerSlot("servers", "group", None, tmp_path) for _ in range(3)]
    assert [slot.number for slot in slots] == [0, 1, 2]
    slots[1].release()
    assert WorkerSlot("servers", "group", None, tmp_path).number == 1


def test_names_hold_group_and_slot_and_only_what_kafka_allows(tmp_path: Path) -> None:
    name = WorkerSlot("servers", "my.group", 7, tmp_path).worker_name
    assert name.startswith("my.group-")
    assert name.endswith("-7")
    assert all(letter.isalnum() or letter in "._-" for letter in name)


def test_groups_and_clusters_have_slots_of_their_own(tmp_path: Path) -> None:
    held = [WorkerSlot(servers, group, 0, tmp_path) for servers in ("one", "two") for group in ("a", "b")]
    assert [slot.number for slot in held] == [0] * 4


def test_slot_that_is_held_is_refused_in_one_line(tmp_path: Path) -> None:
    held = WorkerSlot("servers", "group", 0, tmp_path)
    with pytest.raises(UserError, match=r"Worker slot 0 of group group is held by process \d+\."):
        WorkerSlot("servers", "group", held.number, tmp_path)


def test_slot_of_a_killed_worker_is_free_again(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"0\n"
    assert WorkerSlot("servers", "group", None, tmp_path).number == 1
    holder.kill()
    holder.wait()
    assert WorkerSlot("servers", "group", None, tmp_path).number == 0
