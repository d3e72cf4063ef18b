"""How the single-node broker is configured: what `make up` writes, and what `docker-compose.yml` has to agree with."""

from twinstream.local.ports import HOST
from twinstream.log.topics import DEAD_LETTER_BYTES, PARTITIONS

BROKER_PROPERTIES: dict[str, object] = {
    # Topics are created on purpose: a mistyped name is an error, not a new topic.
    "auto.create.topics.enable": "false",
    "num.partitions": PARTITIONS,
    # The largest dead letter has to pass.
    "message.max.bytes": DEAD_LETTER_BYTES,
    "replica.fetch.max.bytes": DEAD_LETTER_BYTES,
    # A transaction may be open as long as the longest outage it is to survive; one that timed out ends soon after.
    "transaction.max.timeout.ms": 3_600_000,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
    # One node has one copy of everything, and few partitions start and stop fast.
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1_000,
    # After a crash the broker waits out its former self's session before it comes back.
    "broker.session.timeout.ms": 3_000,
    "broker.heartbeat.interval.ms": 1_000,
    # One node has nobody who would miss a sign of life in its metadata twice a second.
    "metadata.max.idle.interval.ms": 0,
    # Two cores and half a gigabyte of heap are plenty here.
    "num.network.threads": 2,
    "num.io.threads": 4,
    "log.cleaner.dedupe.buffer.size": 16_777_216,
}


def server_properties(port: int, controller_port: int, data: str) -> str:
    """The configuration file of one node that is broker and controller, on the loopback interface.

    Args:
        port, controller_port: where it listens.
        data: name of the folder for the log, in the working directory: Java reads the file as ISO-8859-1 and takes a
            comma for the beginning of another path, so the whole path may not be in it.
    """
    addresses = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "log.dirs": data,
    }
    return "".join(f"{name}={value}\n" for name, value in {**addresses, **BROKER_PROPERTIES}.items())
