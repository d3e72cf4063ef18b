"""Several groups on one partition of the job, without Flink: each as if alone, whenever it comes or goes."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from tests.definitions.domestic import domestic
from tests.definitions.spending import spending
from tests.job.memory import MemoryJob
from tests.loop.logs import mixed_messages
from tests.loop.outputs import SETTINGS, Outputs, assert_same, replayed
from tests.reference import GROUPS
from twinstream.core.event import RetainedEvent
from twinstream.core.feature_group import FeatureGroup
from twinstream.log.contract import Record
from twinstream.registry import Registry

Line = tuple[int, bytes | None, bytes]
TOPIC, LETTERS = "transactions", "transactions.dlq"
TRANSACTION = GROUPS["transaction"]
ALIKE = (TRANSACTION, spending)
ALL = (TRANSACTION, spending, domestic)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """A log of one partition, with disorder and every kind of bad record."""
    end_ms = 1_800_000_600_000
    messages = [message for topic, message, _ in mixed_messages(end_ms=end_ms) if topic == TOPIC]
    keys = (None if message.key is None else message.key.encode() for message in messages)
    return [
        Record(TOPIC, 0, offset, end_ms, key, message.value)
        for offset, (key, message) in enumerate(zip(keys, messages, strict=True))
    ]


@pytest.fixture(scope="module")
def alone(records: list[Record]) -> dict[str, Outputs]:
    """What one uninterrupted pass makes of the log for each group by itself."""
    return {group.name: replayed({TOPIC: records}, Registry([group])) for group in ALL}


def job_of(*groups: FeatureGroup) -> MemoryJob:
    return MemoryJob(TOPIC, groups=groups, **SETTINGS | {"cache_entities": 20})


def own(group: FeatureGroup, outputs: Outputs) -> Outputs:
    """A group's feature log and features."""
    names = f"features.{group.name}", f"features:{group.name}:"
    return {name: made for name, made in outputs.items() if name == names[0] or name.startswith(names[1])}


def assert_each_as_if_alone(job: MemoryJob, alone: dict[str, Outputs]) -> None:
    outputs = job.outputs()
    for group in job.groups:
        assert_same(own(group, outputs), own(group, alone[group.name]))
    assert set(outputs[LETTERS]) == {letter for group in job.groups for letter in alone[group.name][LETTERS]}


@pytest.mark.parametrize("largest", [1, 40, 700])
def test_each_group_makes_what_it_makes_alone_however_the_log_is_cut(
    largest: int, records: list[Record], alone: dict[str, Outputs]
) -> None:
    job = job_of(*ALL)
    job.run(records, Random(largest), largest)
    assert_each_as_if_alone(job, alone)


def test_a_record_that_all_refuse_alike_has_one_dead_letter(records: list[Record], alone: dict[str, Outputs]) -> None:
    job = job_of(*ALIKE)
    job.run(records, Random(1))
    assert job.outputs()[LETTERS] == alone["transaction"][LETTERS]


def test_dead_letters_of_all_groups_come_in_one_order_however_the_log_is_cut(records: list[Record]) -> None:
    made = []
    for largest in (1, 700):
        job = job_of(*ALL)
        job.run(records, Random(largest), largest)
        made.append(job.outputs()[LETTERS])
    assert made[0] == made[1]


# --- groups come and go ----------------------------------------------------------------------------------------------


def test_a_group_that_comes_later_has_the_whole_log_and_the_others_repeat_nothing(
    records: list[Record], alone: dict[str, Outputs]
) -> None:
    job, half = job_of(TRANSACTION), len(records) // 2
    job.run(records[:half], Random(1))
    assert job.go_on_with(ALL, "savepoint"), "it reads the topic from its beginning"
    job.run(records, Random(2))
    assert_each_as_if_alone(job, alone)


def test_what_a_group_with_the_same_decoder_has_refused_is_not_written_again(
    records: list[Record], alone: dict[str, Outputs]
) -> None:
    job, half = job_of(TRANSACTION), len(records) // 2
    job.run(records[:half], Random(1))
    job.go_on_with(ALIKE, "savepoint")
    job.run(records, Random(2))
    assert_only_duplicates_stand_twice(job.outputs()[LETTERS], alone["transaction"][LETTERS])


def test_nor_when_that_group_goes_before_the_other_has_caught_up(
    records: list[Record], alone: dict[str, Outputs]
) -> None:
    job, half = job_of(TRANSACTION), len(records) // 2
    job.run(records[:half], Random(1))
    job.go_on_with(ALIKE, "first")
    job.run(records[: half // 2], Random(2))
    job.go_on_with([spending], "second")
    job.run(records, Random(3))
    outputs = job.outputs()
    assert_same(own(spending, outputs), own(spending, alone["spending"]))
    assert_only_duplicates_stand_twice(outputs[LETTERS], alone["transaction"][LETTERS])


def assert_only_duplicates_stand_twice(written: Sequence[Line], wanted: Sequence[Line]) -> None:
    """Whether a record is a duplicate depends on a group's own states, so each group says so."""
    assert list(dict.fromkeys(written)) == wanted
    twice = [line for line, count in Counter(written).items() if count > 1]
    assert twice
    assert all(b'"reason":"duplicate"' in line[2] for line in twice)


def test_a_job_that_fails_while_a_group_catches_up_goes_on_from_its_checkpoint(
    records: list[Record], alone: dict[str, Outputs]
) -> None:
    job, half, quarter = job_of(TRANSACTION), len(records) // 2, len(records) // 4
    job.run(records[:half], Random(1))
    job.go_on_with(ALL, "savepoint")
    job.run(records[:quarter], Random(2))
    kept = job.checkpoint()
    job.run(records[quarter:], Random(3))
    job.restore(*kept)
    job.run(records[quarter:], Random(4))
    assert_each_as_if_alone(job, alone)


def test_a_savepoint_from_the_midst_of_catching_up_is_continued_with_another_set(
    records: list[Record], alone: dict[str, Outputs]
) -> None:
    job, half, quarter = job_of(TRANSACTION), len(records) // 2, len(records) // 4
    job.run(records[:half], Random(1))
    job.go_on_with([TRANSACTION, domestic], "first")
    job.run(records[:quarter], Random(2))
    assert not job.go_on_with([domestic, TRANSACTION], "second"), "the same set reads on from where it was"
    assert job.go_on_with(ALL, "third")
    job.run(records, Random(3))
    assert_each_as_if_alone(job, alone)


def test_a_job_stands_where_its_last_group_stands(records: list[Record]) -> None:
    job = job_of(TRANSACTION)
    job.process(records[:100])
    job.go_on_with(ALL, "savepoint")
    job.process(records[:60])
    assert job.working.next_offset == 60
    assert [group.next_offset for group in job.working.groups] == [100, 60, 60]


def test_records_that_all_groups_have_had_bring_about_nothing(records: list[Record]) -> None:
    job = job_of(*ALL)
    job.process(records[:100])
    job.go_on_with(ALIKE, "savepoint")
    assert job.working.process(records[:60]) == {}
    assert job.working.next_offset == 100


def test_what_a_group_that_went_has_left_is_forgotten(records: list[Record]) -> None:
    job = job_of(*ALL)
    job.run(records, Random(1))
    job.go_on_with([TRANSACTION], "savepoint")
    (left,) = job.read_as.groups
    assert list(job.keyed.marks) == [left.id]
    assert {key.split(":")[0] for key in (*job.keyed.entities, *job.keyed.expiries)} == {left.id}


def test_a_group_that_is_back_begins_anew_though_nobody_has_forgotten_its_states_and_goes_on_from_then(
    records: list[Record], alone: dict[str, Outputs]
) -> None:
    job, third = job_of(*ALIKE), len(records) // 3
    job.run(records[:third], Random(1))
    keyed, _ = job.checkpoint()
    job.go_on_with([TRANSACTION], "first")
    job.keyed = keyed  # of a partition that the job did not come to
    job.go_on_with(ALIKE, "second")
    job.run(records[:third], Random(2))
    assert not job.go_on_with(ALIKE, "third")
    job.run(records[third:], Random(3))
    outputs = job.outputs()
    made, whole = outputs["features.spending"], alone["spending"]["features.spending"]
    before = len(made) - len(whole)
    assert before > 0
    assert made == whole[:before] + whole
    assert_same(own(TRANSACTION, outputs), own(TRANSACTION, alone["transaction"]))


@pytest.mark.parametrize("seed", range(10))
def test_whatever_groups_come_and_go_and_whenever_the_job_fails_each_is_as_if_alone(
    seed: int, records: list[Record], alone: dict[str, Outputs]
) -> None:
    random, job, at = Random(seed), job_of(TRANSACTION), 0
    for step in range(8):
        kept, until = job.checkpoint(), min(len(records), at + random.randint(1, 700))
        job.run(records[at:until], random)
        if random.random() < 0.4:
            job.restore(*kept)
        else:
            at = until
        if random.random() < 0.6:
            others = random.sample([spending, domestic], random.randint(0, 2))
            at = 0 if job.go_on_with([TRANSACTION, *others], f"savepoint {step}") else at
    at = 0 if job.go_on_with(ALL, "last savepoint") else at
    job.run(records[at:], random)
    outputs = job.outputs()
    for group in (spending, domestic):  # each time that it came it began anew, the last time to the end
        log = f"features.{group.name}"
        outputs[log] = outputs[log][-len(alone[group.name][log]) :]
    for group in ALL:
        assert_same(own(group, outputs), own(group, alone[group.name]))
    assert set(outputs[LETTERS]) == {letter for group in ALL for letter in alone[group.name][LETTERS]}


def test_redis_that_lost_everything_gets_back_what_it_had_of_every_group(
    records: list[Record], alone: dict[str, Outputs]
) -> None:
    job = job_of(*ALL)
    job.run(records, Random(1))
    job.database.clear()
    assert job.working.redis_has_lost()
    job.working.repopulate()
    assert not job.working.redis_has_lost()
    assert_each_as_if_alone(job, alone)


# --- one decoding for all that decode alike --------------------------------------------------------------------------


def counting(decoded: Counter[int], *names: str) -> list[FeatureGroup]:
    """Groups that share a decoder, which counts how often it has seen each record."""

    def decode(value: bytes | None, offset: int) -> tuple[str, RetainedEvent]:
        decoded[offset] += 1
        return TRANSACTION.decoder(value, offset)

    shared: dict[str, Any] = {
        name: getattr(TRANSACTION, name)
        for name in ("version", "topic", "entity", "time", "id", "wire_type", "event_type", "window", "families")
    }
    return [FeatureGroup(name=name, decode=decode, **shared) for name in names]


def decodings(decoded: Counter[int], records: Sequence[Record]) -> set[int]:
    """How often records were decoded; one that is too large is refused as it is."""
    most = SETTINGS["max_record_bytes"]
    return {decoded[record.offset] for record in records if len(record.value or b"") <= most}


def test_a_record_is_decoded_once_for_each_event_type(records: list[Record]) -> None:
    of_one, of_another = Counter[int](), Counter[int]()
    job = job_of(*counting(of_one, "a", "b", "c"), *counting(of_another, "d"))
    job.run(records, Random(1))
    assert decodings(of_one, records) == decodings(of_another, records) == {1}


def test_a_group_that_has_caught_up_shares_the_decoding_again(records: list[Record]) -> None:
    decoded, half = Counter[int](), len(records) // 2
    first, second = counting(decoded, "a", "b")
    job = job_of(first)
    job.run(records[:half], Random(1))
    job.go_on_with([first, second], "savepoint")
    job.process(records[:half])
    job.run(records[half:], Random(2))
    assert decodings(decoded, records[:half]) == {2}, "once for each time that it was read"
    assert decodings(decoded, records[half:]) == {1}
