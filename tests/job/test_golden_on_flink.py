"""The golden cases on real Flink, all in one job: each case has partitions of its own.

Cases with other settings than the usual ones, or with a feature made to fail, run in `test_golden_in_memory`.
"""

from pathlib import Path

import pytest
from kafka import KafkaProducer

from deploy.local import LocalKafka
from tests.golden.cases import Case, Settings, check, load_cases, merged
from tests.job.lab import run_embedded
from tests.loop.lab import Lab
from tests.other_clients import ENCODINGS, compressing
from tests.stamping import mark_as_appended
from tests.topics import create
from twinstream.core.dead_letters import DeadLetter, decode_dead_letter
from twinstream.core.vectors import FeatureRecord, decode_feature_record
from twinstream.log.kafka import read_topic
from twinstream.log.topics import Topic, dead_letter_topic, feature_log_topic, source_topic

pytestmark = pytest.mark.timeout(600)

CASES = [case for case in merged(load_cases()) if case.settings == Settings()]
SETTINGS = {"window_size_minutes": 5, "allowed_lateness_seconds": 30, "max_record_bytes": 1_048_576}

Outcomes = tuple[list[FeatureRecord], list[DeadLetter]]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcomes]:
    """What the job makes of all cases, by group."""
    directory = tmp_path_factory.mktemp("golden")
    with Lab(directory) as lab, lab.run() as run:
        create(lab.broker.servers, [_source(case) for case in CASES])
        _send(lab.broker)
        _mark(lab.directory / "kafka")
        state = (directory / "state").as_uri()
        done = run_embedded(run, directory, "--state-directory", state, **SETTINGS)
        assert done.returncode == 0, done.stderr
        return {case.group: _read(lab.broker, f"{run.group}.", case) for case in CASES}


def _source(case: Case) -> Topic:
    wanted = source_topic(case.topic, 1 + max(record.partition for record in case.records))
    as_sent = {"message.timestamp.type": "CreateTime", "compression.type": "producer", "retention.ms": "-1"}
    return Topic(wanted.name, wanted.partitions, wanted.configs | as_sent)


def _send(broker: LocalKafka) -> None:
    """Append the cases, each partition as one of the clients compresses that people have."""
    for number, encoding in enumerate(ENCODINGS):
        with compressing(encoding) as codec:
            producer = KafkaProducer(
                bootstrap_servers=broker.servers,
                compression_type=codec,
                linger_ms=0,
                max_request_size=32 * 1024 * 1024,
            )
            for case in CASES:
                for record in case.records:
                    if record.partition % len(ENCODINGS) == number:
                        at = {"partition": record.partition, "timestamp_ms": record.timestamp}
                        producer.send(case.topic, record.value, record.key, **at).get(60)  # alone in its batch
            producer.flush()
            producer.close()


def _mark(data: Path) -> None:
    """Let the broker have stamped the records, where a case does not say that their producers have."""
    for case in CASES:
        by_broker = [record for record in case.records if record.append_timed]
        marked = mark_as_appended(data, case.topic, {record.partition for record in by_broker})
        assert marked == len(by_broker)


def _read(broker: LocalKafka, prefix: str, case: Case) -> Outcomes:
    log, letters = (
        read_topic(broker.servers, topic.name)
        for topic in (feature_log_topic(case.group, prefix), dead_letter_topic(case.topic, prefix))
    )
    features = [decode_feature_record(record.value or b"") for record in log]
    return features, [decode_dead_letter(record.value or b"") for record in letters]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_cases(case: Case, outcomes: dict[str, Outcomes]) -> None:
    check(case, *outcomes[case.group])
