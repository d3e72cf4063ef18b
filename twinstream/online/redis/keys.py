"""The names of everything in Redis.

| key | type | what |
|---|---|---|
| `features:<group>:<entity>` | hash | readable feature fields, `event_time`, `topic`, `partition`, `offset` |
| `state:<namespace>:<group>:<topic>:<partition>:<entity>` | hash | `epoch`, `offset`, `head`, a `c<number>` per chunk |
| `progress:<namespace>:<group>:<topic>:<partition>` | hash | `token`, `epoch`, `offset` (next), `max_event_time` |
| `entities:<namespace>:<group>:<topic>:<partition>` | sorted set | the entities with a state, by newest event time |
| `writer:<group>` | hash | `runtime` and `consumer_group` of those who write the group's features |

`max_event_time` is the state of the lateness rule: the newest event time, and the rest of it where there is more.

The entity comes last in its keys, since only an entity may contain a colon.
"""

from typing import NamedTuple

from twinstream.online.contract import Partition


class Keys(NamedTuple):
    """The keys of one group's part of a partition; an entity's name goes behind the prefixes."""

    progress: str
    entities: str
    features_prefix: str
    state_prefix: str

    @classmethod
    def of(cls, namespace: str, partition: Partition) -> "Keys":
        """The keys of a partition in a namespace.

        >>> Keys.of("twinstream", Partition("orders", 3, "order")).state_prefix
        'state:twinstream:order:orders:3:'
        """
        place = f"{namespace}:{partition.group}:{partition.topic}:{partition.partition}"
        return cls(
            progress=f"progress:{place}",
            entities=f"entities:{place}",
            features_prefix=features_key(partition.group, ""),
            state_prefix=f"state:{place}:",
        )


def features_key(group: str, entity: str) -> str:
    """Where an entity's features are for everyone to read.

    >>> features_key("transaction", "card_7")
    'features:transaction:card_7'
    """
    return f"features:{group}:{entity}"


def writer_key(group: str) -> str:
    """Where it stands who writes a group's features.

    >>> writer_key("transaction")
    'writer:transaction'
    """
    return f"writer:{group}"
