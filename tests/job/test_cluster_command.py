"""What `make flink-cluster` says and takes."""

import re
import socket
from pathlib import Path

import pytest

from twinstream.errors import UserError
from twinstream.job.cluster import FlinkCluster
from twinstream.job.distribution import temporary_folder
from twinstream.job.flink_command import local_port
from twinstream.job.submitting import settings_of


def test_a_taken_port_advises_a_line_that_works(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"^Port {port} is in use by ") as refusal:
            FlinkCluster(tmp_path, port).start()
    advised = re.search(r"FLINK_CLUSTER=(\S+:\d+)", str(refusal.value))
    assert advised is not None
    assert local_port(advised[1]) != port


@pytest.mark.parametrize("address", ["flink.example:8081", "localhost", "8082"])
def test_a_cluster_elsewhere_is_not_started_here(address: str) -> None:
    with pytest.raises(UserError, match=f"^FLINK_CLUSTER is {address}; a cluster of this machine is localhost:port"):
        local_port(address)


def test_temporary_files_lie_in_the_runs_own_folder_unless_pyflinks_script_would_take_its_path_apart() -> None:
    assert temporary_folder(Path("/home/é/flink")) == Path("/home/é/flink/tmp")
    assert " " not in str(temporary_folder(Path("/home/my folder/flink")))


@pytest.mark.parametrize("arguments", [["--features", "my shop/features.py"], ["--features=my shop/features.py"]])
def test_a_job_is_shipped_with_the_definitions_that_its_arguments_name(arguments: list[str]) -> None:
    assert settings_of(["--parallelism", "2", *arguments]).features == "my shop/features.py"
    assert settings_of(arguments, {"FEATURES": "another"}).features == "my shop/features.py"
    assert settings_of([], {"FEATURES": "another"}).features == "another"


def test_a_job_is_followed_where_its_arguments_say() -> None:
    told = settings_of(["--kafka-servers", "kafka.example:9092", "--consumer-group=other", "--redis-db", "3"])
    assert (told.kafka_servers, told.consumer_group, told.redis_db) == ("kafka.example:9092", "other", 3)


@pytest.mark.parametrize("arguments", [["--no-such-option"], ["--parallelism", "many"], ["--help"], ["--features"]])
def test_what_is_wrong_with_its_arguments_the_job_says_itself(arguments: list[str]) -> None:
    assert settings_of(arguments).features == settings_of([]).features
