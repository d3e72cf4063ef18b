"""The test driver: the whole loop in this process, with no Kafka and no Redis, and a clock moved by hand.

    driver = Driver()
    driver.send("logins", {"login_id": "l1", "account_id": "a1", ...})
    driver.run()
    driver.features("login", "a1")["logins"]       # '1'

What runs is the real loop with the real commit protocol, on a log and an online store in this process, which keep the
contracts that Kafka and Redis keep. Test your own features with it.
"""

from typing import Any

import msgspec

from twinstream.core.dead_letters import DeadLetter, decode_dead_letter
from twinstream.core.vectors import FeatureRecord, decode_feature_record
from twinstream.definitions import load_registry
from twinstream.log.contract import Record
from twinstream.log.memory import MemoryBroker, MemoryLog
from twinstream.log.retention import IfLogLost
from twinstream.log.topics import dead_letter_topic, feature_log_topic
from twinstream.loop.commit import Reached
from twinstream.loop.loop import Loop
from twinstream.online.contract import OnlineStore
from twinstream.online.memory import MemoryDatabase, MemoryStore
from twinstream.online.redis.keys import features_key
from twinstream.registry import Registry
from twinstream.settings import Settings

START_MS = 1_800_000_000_000
"""Where the driver's clock starts: 2027-01-15T08:00:00Z."""


class Driver:
    """A broker, an online store and one worker.

    Args:
        registry: the groups under test; by default those that FEATURES names, as everywhere.
        partitions: of every topic.
        store: where states and features go, instead of a store in this process.
        reached: called after every step of a batch; may raise to make the worker fail there.
        settings: of the loop, by name.

    Attributes:
        now_ms: the broker's clock, which stamps records as they are sent.
        broker: the log.
        database: what the store in this process has; it can be cleared, or set back to a copy.
        store: the worker's view of it.
        loop: the worker; `restart` makes a new one.
    """

    def __init__(
        self,
        registry: Registry | None = None,
        *,
        partitions: int = 1,
        store: OnlineStore | None = None,
        reached: Reached | None = None,
        **settings: Any,
    ) -> None:
        self.now_ms = START_MS
        self.settings = Settings(**settings)
        self.registry = load_registry(self.settings.features) if registry is None else registry
        self.broker = MemoryBroker(self.registry.topics, partitions, lambda: self.now_ms)
        self.database = MemoryDatabase()
        self.store = store or MemoryStore(self.database, self.settings.namespace)
        self._reached: Reached = reached or (lambda step: None)
        self.restart()

    def restart(self, if_log_lost: IfLogLost = IfLogLost.REFUSE) -> None:
        """Put a new worker in the place of the old one, as after a crash."""
        self.loop = Loop(
            lambda on_assigned, on_revoked: MemoryLog(self.broker, list(self.registry.topics), on_assigned, on_revoked),
            self.store,
            self.settings,
            self.registry,
            if_log_lost=if_log_lost,
            reached=self._reached,
        )

    def send(
        self, topic: str, value: bytes | dict[str, Any] | None, *, key: str | None = None, partition: int = 0
    ) -> Record:
        """Append a record to a source topic; a dictionary goes as JSON, keyed by its entity."""
        if isinstance(value, dict):
            key = key if key is not None else value.get(self.registry.of_topic(topic)[0].entity)
            value = msgspec.json.encode(value)
        return self.broker.append(topic, partition, None if key is None else key.encode(), value)

    def run(self) -> None:
        """Process everything that has been sent, recovering from failures on the way."""
        self.loop.run(lambda: self.loop.caught_up() and not any(self.loop.lag().values()))

    def feature_records(self, group: str) -> list[FeatureRecord]:
        """The feature log of a group."""
        topic = feature_log_topic(group, self.settings.output_prefix).name
        return [decode_feature_record(record.value or b"") for record in self.broker.records(topic)]

    def dead_letters(self, topic: str) -> list[DeadLetter]:
        """The dead letters of a source topic."""
        name = dead_letter_topic(topic, self.settings.output_prefix).name
        return [decode_dead_letter(record.value or b"") for record in self.broker.records(name)]

    def features(self, group: str, entity: str) -> dict[str, str]:
        """What everybody reads of an entity; empty when there is nothing."""
        return self.store.features(group, entity)

    def outputs(self) -> dict[str, Any]:
        """Everything a run has made, to be compared with another: feature logs, dead letters, features by their key."""
        logs = {
            topic: [(record.key, record.value) for record in self.broker.records(topic)]
            for group in self.registry
            for topic in (
                feature_log_topic(group.name, self.settings.output_prefix).name,
                dead_letter_topic(group.topic, self.settings.output_prefix).name,
            )
        }
        features = {
            features_key(group, entity): {name.encode(): value.encode() for name, value in fields.items()}
            for group in self.registry.names
            for entity, fields in sorted(self.store.all_features(group))
        }
        return logs | features
