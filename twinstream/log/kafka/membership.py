"""A static group member on kafka-python: what it is told of rebalances, and what it would do otherwise."""

from collections.abc import Collection, Iterable
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaAdminClient
from kafka import TopicPartition as ClientPartition
from kafka.admin import MemberToRemove
from kafka.errors import CoordinatorNotAvailableError, RetriableError
from kafka.protocol.consumer import LeaveGroupRequest
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from twinstream.log.contract import NameTaken, TopicPartition
from twinstream.log.kafka.client_options import ANSWER_TIMEOUT_MS, connection_options
from twinstream.log.kafka.connecting import build_client
from twinstream.settings import Settings


def ours(partition: Any) -> TopicPartition:
    """The client's partition as ours."""
    return TopicPartition(partition.topic, partition.partition)


def theirs(partition: TopicPartition) -> Any:
    """Our partition as the client's, which checks the type."""
    return ClientPartition(partition.topic, partition.partition)


def name_taken(name: str) -> NameTaken:
    """What to say when Kafka has fenced this member."""
    return NameTaken(
        f"Another process has joined Kafka as {name}, this worker's name. Give each machine a host name of its own."
    )


class Rebalances:
    """Notes rebalances where the client reports them: on its network thread, in the middle of its `poll`.

    A partition that comes is paused, and given a position so that the client does not go looking for one itself.
    """

    def __init__(self) -> None:
        self.consumer: Any = None
        self.revoked = False
        self.assigned: list[TopicPartition] | None = None

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        partitions = sorted(assigned)
        for partition in partitions:
            self.consumer.pause(partition)
            self.consumer.seek(partition, 0)
        self.assigned = [ours(partition) for partition in partitions]

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        self.revoked = True
        self.assigned = None

    def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        self.on_partitions_revoked(lost)


ConsumerRebalanceListener.register(Rebalances)


def see_join_through(consumer: Any) -> None:
    """Let the next poll use a join that was begun by an earlier one.

    kafka-python 3.0.12 takes a join that ended between two polls for none at all and joins again, which starts the
    next rebalance: two members that both poll with short time-outs can go on like that for minutes. And a leader that
    joined because the topics' partitions had changed, and has assigned them anew, forgets that it is joining: it never
    takes the answer, and sits without partitions and heartbeats.
    """
    coordinator = consumer._coordinator
    task = coordinator._join_task
    if task is None:
        return
    coordinator.rejoin_needed = True
    if not isinstance(task, _FinishedJoin) and task.is_done and not task.failed():
        coordinator._join_task = _FinishedJoin(task)


class _FinishedJoin:
    """A join that is over but says that it is not, so that it is awaited once more."""

    is_done = False

    def __init__(self, task: Any) -> None:
        self.add_callback = task.add_callback
        self.add_errback = task.add_errback
        self._task = task

    def __await__(self) -> Any:
        return self._task.__await__()


def end_predecessor(settings: Settings, name: str, topics: Collection[str]) -> None:
    """Take the member of this name out of the group if it has subscribed to other topics.

    Kafka gives a static member that comes back the partitions that it had, without looking at what it subscribes to
    now. So after a kill a worker with other feature groups would be given partitions of the old topics alone.

    Raises:
        KafkaError: Kafka does not answer, or refuses.
    """
    until_coordinated = Retrying(
        retry=retry_if_exception_type(RetriableError),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(ANSWER_TIMEOUT_MS / 1000),
        reraise=True,
    )
    admin = build_client(KafkaAdminClient, settings, connection_options(settings))
    try:
        for member in until_coordinated(_members, admin, settings.consumer_group):
            subscription = member["member_metadata"]  # nothing while the group is rebalancing, and gives it anew
            if member["group_instance_id"] == name and subscription and set(subscription["topics"]) != set(topics):
                leaving = MemberToRemove(group_instance_id=name, reason="other topics")
                admin.remove_group_members(settings.consumer_group, [leaving])
    finally:
        admin.close()


def _members(admin: KafkaAdminClient, group: str) -> list[dict[str, Any]]:
    described = admin.describe_groups([group])[group]
    if "Coordinator" in (described["error"] or ""):  # it is being loaded, or has moved
        raise CoordinatorNotAvailableError(described["error"])
    members: list[dict[str, Any]] = described["members"]
    return members


def leave_group(consumer: Any, timeout_ms: int) -> None:
    """Say goodbye, which a static member's `close` does not: its partitions would lie idle until its session ends."""
    group = consumer.group_metadata()
    coordinator = consumer._coordinator.coordinator()
    if not group.member_id or coordinator is None:
        return
    member = LeaveGroupRequest.MemberIdentity(
        member_id=group.member_id, group_instance_id=group.group_instance_id, reason="closing"
    )
    request = LeaveGroupRequest(group_id=group.group_id, member_id=group.member_id, members=[member])
    manager = consumer._manager

    async def send() -> None:
        await manager.wait_for(manager.send(request, node_id=coordinator), timeout_ms)

    manager.run(send)
