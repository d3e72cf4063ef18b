"""What Kafka's access control does not let us do, said in one line that names the right."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kafka import KafkaAdminClient
from kafka.errors import (
    AuthorizationError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    RetriableError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
    for_code,
)
from kafka.protocol.consumer import HeartbeatRequest
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from twinstream.log.contract import KafkaUnavailable, NotAllowed
from twinstream.log.kafka.client_options import ANSWER_TIMEOUT_MS, connection_options, servers_of
from twinstream.log.kafka.connecting import build_client
from twinstream.log.kafka.diagnosis import advertised_by, diagnosis
from twinstream.settings import Settings

READING = ("Read", "DescribeConfigs")
"""What a worker does with a source topic: it also asks who stamps the records."""

WRITING = ("Write",)


class Right(NamedTuple):
    """An operation on something, as Kafka's access control names both; `kind` as an option of `kafka-acls.sh`."""

    operation: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.operation} on {self.kind} {self.name}".rstrip()


def not_allowed(where: Settings | str, missing: Iterable[Right]) -> NotAllowed:
    """The line about rights that somebody has to grant."""
    rights = list(dict.fromkeys(missing))
    user, first = _user(where), rights[0]
    return NotAllowed(
        f"Kafka at {servers_of(where)} does not let {user} do what is needed: {', '.join(map(str, rights))}. Grant "
        f"each, as in: kafka-acls.sh --bootstrap-server {servers_of(where)} --add --allow-principal {user} "
        f"--operation {first.operation} --{first.kind} {first.name}".rstrip()
    )


def refused(error: AuthorizationError, where: Settings | str, operation: str, name: str = "") -> NotAllowed:
    """The same from the client's error.

    Args:
        error: of which Kafka names the topics itself.
        where: the settings, or just the servers.
        operation: what was tried.
        name: of the group, transactional id or topic that it was tried with, where the error does not say.
    """
    if isinstance(error, GroupAuthorizationFailedError):
        return not_allowed(where, [Right("Read", "group", name or _group(where))])
    if isinstance(error, TransactionalIdAuthorizationFailedError):
        return not_allowed(where, [Right("Write", "transactional-id", name)])
    if isinstance(error, ClusterAuthorizationFailedError):
        return not_allowed(where, [Right(operation, "cluster", "")])
    given = name or error.args[0]
    topics = [given] if isinstance(given, str) else sorted(given)
    return not_allowed(where, [Right(operation, "topic", topic) for topic in topics])


def check_rights(where: Settings, read: Sequence[str], write: Sequence[str], group: str) -> None:
    """Make sure that we may read and write these topics, as far as they exist, and join this group.

    Raises:
        NotAllowed: names every right that is missing.
    """
    client: Any = build_client(KafkaAdminClient, where, connection_options(where))
    try:
        needed = dict.fromkeys(read, READING) | dict.fromkeys(write, WRITING)
        missing = [*_missing_of_topics(client, needed), *_missing_of_group(client, group)]
    except RetriableError as error:
        raise KafkaUnavailable(diagnosis(where, advertised_by(client))) from error
    finally:
        client.close()
    if missing:
        raise not_allowed(where, missing)


def _missing_of_topics(client: Any, needed: Mapping[str, Sequence[str]]) -> Iterable[Right]:
    for topic in client.describe_topics(list(needed)):
        name = topic["name"]
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            granted = set()
        elif topic["error_code"]:
            continue  # it does not exist, or has no leader yet
        else:
            granted = {each.replace("_", "") for each in topic["authorized_operations"] or ()}
        yield from (Right(each, "topic", name) for each in needed[name] if each.upper() not in granted)


def _missing_of_group(client: Any, group: str) -> Iterable[Right]:
    """A heartbeat of a member that does not exist is refused in one way to those who may join, in another to others."""
    manager = client._manager

    async def beat() -> Any:
        coordinator = await client._find_coordinator_id(group)
        request = HeartbeatRequest(group_id=group, generation_id=-1, member_id="nobody")
        return await manager.send(request, node_id=coordinator)

    try:
        outcome: type[KafkaError] = for_code(_patiently(lambda: manager.run(beat)).error_code)
    except GroupAuthorizationFailedError as error:
        outcome = type(error)
    if outcome is GroupAuthorizationFailedError:
        yield Right("Read", "group", group)


_patiently = Retrying(  # a new cluster makes its coordinator when it is first asked for it
    retry=retry_if_exception_type(RetriableError),
    stop=stop_after_delay(ANSWER_TIMEOUT_MS / 1000),
    wait=wait_fixed(0.05),
    reraise=True,
)


def _user(where: Settings | str) -> str:
    """The principal that the broker takes us for, as far as it can be known here."""
    if isinstance(where, str) or where.kafka_security_protocol == "PLAINTEXT":
        return "User:ANONYMOUS"
    if where.kafka_sasl_username:
        return f"User:{where.kafka_sasl_username}"
    return "User:<subject of KAFKA_SSL_CERTFILE>"


def _group(where: Settings | str) -> str:
    return "" if isinstance(where, str) else where.consumer_group
