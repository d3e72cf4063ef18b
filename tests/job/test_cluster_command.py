"""What `make flink-cluster` says and takes."""

import re
import socket
from pathlib import Path

import pytest

from deploy.flink.__main__ import local_port
from deploy.flink.cluster import FlinkCluster
from deploy.flink.distribution import temporary_folder
from twinstream.errors import UserError


def test_a_taken_port_advises_a_line_that_works(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"^Port {port} is in use by ") as refusal:
            FlinkCluster(tmp_path, port).start()
    advised = re.search(r"make flink-cluster FLINK_CLUSTER=(\S+:\d+)", str(refusal.value))
    assert advised is not None
    assert local_port(advised[1]) != port


@pytest.mark.parametrize("address", ["flink.example:8081", "localhost", "8082"])
def test_a_cluster_elsewhere_is_not_started_here(address: str) -> None:
    with pytest.raises(UserError, match=f"^FLINK_CLUSTER is {address}; a cluster of this machine is localhost:port"):
        local_port(address)


def test_temporary_files_lie_in_the_runs_own_folder_unless_pyflinks_script_would_take_its_path_apart() -> None:
    assert temporary_folder(Path("/home/é/flink")) == Path("/home/é/flink/tmp")
    assert " " not in str(temporary_folder(Path("/home/my folder/flink")))
