"""A single-node KRaft Kafka on the loopback interface, run from Maven's jars."""

import os
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from deploy.local.broker import server_properties
from deploy.local.head_start import class_options, copy_formatted, keep_archive, keep_formatted
from deploy.local.paths import KAFKA
from twinstream.errors import UserError
from twinstream.local.daemon import Daemon
from twinstream.local.jars import java_binary
from twinstream.local.ports import HOST, free_port, is_open, require_free
from twinstream.local.scratch import fresh, java_environment

_JVM_OPTIONS = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")

START_DEADLINE_S = 120.0
"""After a crash a broker goes through the logs of all its partitions first, which takes long on a busy machine."""

_LOGGING = Path(__file__).with_name("log4j2.properties")


class LocalKafka:
    """A broker with its log in `directory`. Its jars are fetched the first time."""

    name = "kafka"

    def __init__(self, directory: Path, port: int = 9092) -> None:
        self.directory = directory.resolve()
        self.port = port
        self.data = self.directory / "data"
        self._daemon = Daemon(self.name, self.directory, port)

    @property
    def address(self) -> str:
        """host:port, what KAFKA_SERVERS would be."""
        return f"{HOST}:{self.port}"

    @property
    def servers(self) -> str:
        """The same, under the name that clients use."""
        return self.address

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._daemon.pid

    @property
    def log_file(self) -> Path:
        """What it wrote."""
        return self._daemon.log_file

    def check(self) -> None:
        """Refuse in one line what would keep it from starting."""
        if not self._daemon.running:
            KAFKA.require_tools()
            require_free(self.port, "KAFKA_SERVERS=localhost:9192, for example")

    def start(self) -> bool:
        """Start it and wait until it answers; return False if it was running already."""
        if self._daemon.running:
            return False
        self.check()
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "server.properties"
        config.write_text(server_properties(self.port, free_port(), self.data.name))
        environment = os.environ | java_environment(fresh(self._scratch))
        java = [
            java_binary(KAFKA.name),
            *_JVM_OPTIONS,
            f"-Dlog4j2.configurationFile={_LOGGING}",
            "-cp",
            f"{KAFKA.fetch()}/*",
        ]
        if not (self.data / "meta.properties").exists() and not copy_formatted(self.data):
            self._format(java, config, environment)
            keep_formatted(self.data)
        try:
            self._daemon.start(
                [*java, *class_options(self.directory), "kafka.Kafka", str(config)],
                self._answers,
                seconds=START_DEADLINE_S,
                environment=environment,
                directory=self.directory,
            )
        except UserError as error:
            if "UnsupportedVersionException" in str(error):
                raise UserError(
                    f"{self.data} was written by a newer Kafka than deploy/pom.xml names. "
                    'Delete the data: "python -m deploy.local down --wipe".'
                ) from error
            raise
        return True

    def stop(self) -> bool:
        """End it in good order; return whether it ran."""
        stopped = self._daemon.stop()
        if stopped:
            keep_archive(self.directory)
        shutil.rmtree(self._scratch, ignore_errors=True)
        return stopped

    def kill(self) -> None:
        """End it as a crash would."""
        self._daemon.kill()

    def restart(self) -> None:
        """Stop and start again on the same port and data."""
        self.stop()
        self.start()

    @property
    def _scratch(self) -> Path:
        return self.directory / "tmp"

    def _format(self, java: list[str], config: Path, environment: dict[str, str]) -> None:
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", str(config)]
        outcome = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, cwd=self.directory
        )
        if outcome.returncode != 0:
            reason = " ".join((outcome.stderr or outcome.stdout).split())[:300]
            raise UserError(f"Kafka could not prepare {self.data}: {reason}")

    def _answers(self) -> bool:
        if not is_open(self.port):
            return False
        try:
            admin = KafkaAdminClient(bootstrap_servers=self.servers, request_timeout_ms=5_000)
        except KafkaError:
            return False
        try:
            admin.list_topics()
        except KafkaError:
            return False
        finally:
            admin.close()
        return True
