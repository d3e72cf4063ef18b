"""What is read without a claim: the commands that ask for it, and what their replies say."""

from collections.abc import Sequence
from typing import Any

from twinstream.online.contract import EntityName, Found, Partition, Recorded, StoredState
from twinstream.online.redis.keys import Keys, features_key
from twinstream.online.redis.pipelined import Command, call
from twinstream.online.redis.progress import decoded
from twinstream.online.redis.scripts import READ


def read_commands(namespace: str, entities: Sequence[EntityName]) -> list[Command]:
    """A call of the script for each entity, so that what is read of it is of one moment."""
    places = [(f"{namespace}:{group}:", group, entity) for group, entity in entities]
    return [
        call(READ, [features_key(group, entity)], f"state:{place}", f":{entity}", f"progress:{place}")
        for place, group, entity in places
    ]


def found_in(entities: Sequence[EntityName], replies: Sequence[Any]) -> list[Found | None]:
    """What the replies to `read_commands` say."""
    return [_found(group, reply) for (group, _), reply in zip(entities, replies, strict=True)]


def progress_command(namespace: str, partition: Partition) -> Command:
    """Asks for a partition's progress."""
    return ("HMGET", Keys.of(namespace, partition).progress, "epoch", "offset", "max_event_time")


def recorded_in(reply: Sequence[bytes | None]) -> Recorded | None:
    """What the reply to `progress_command` says."""
    epoch, offset, lateness = reply
    return None if epoch is None else Recorded(epoch.decode(), decoded(offset, lateness))


def stored_state(reply: list[bytes] | dict[bytes, bytes], epoch: bytes) -> StoredState | None:
    """The state from its hash; None when there is none of this epoch."""
    fields = fields_of(reply)
    if fields.get(b"epoch") != epoch:
        return None
    chunks = {int(name[1:]): chunk for name, chunk in fields.items() if name.startswith(b"c")}
    return StoredState(int(fields[b"offset"]), fields.get(b"head", b""), chunks)


def fields_of(reply: list[bytes] | dict[bytes, bytes]) -> dict[bytes, bytes]:
    """A hash as a dictionary, also from the fields and values in turn."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))


def _found(group: str, reply: Any) -> Found | None:
    if reply is None:
        return None
    topic, number, epoch, fields = reply
    source = Partition(topic.decode(), int(number), group)
    if epoch is None:
        return Found(source, None, None)
    return Found(source, epoch.decode(), stored_state(fields, epoch))
