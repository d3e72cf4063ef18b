"""Golden cases: records in; vectors, dead letters and readings out. Data in YAML files, for every runtime alike.

A runner is any callable that takes a `Case` and returns the feature records and dead letters it got for the case's
records; `check` compares. The records of a case start a partition: no record has been in it before, and the broker
keeps the timestamps that the case gives (CreateTime on a real one, for the test's topic).

A file is a list of cases:

    - name: event exactly one window old is out
      group: transaction
      settings: {max_events: 3}                      # only what differs from the defaults of `Settings` below
      records:
        - at: "12:00:00"                             # event time; the day is 2026-03-02 unless a date is given
          features: {txn_count: 1}                   # some features of the vector at this event
        - at: "12:05:00.000"
          value: {amount: 12.5, merchant_id: m1}     # fields that differ from the smallest record of the group
          without: [card_id]                         # fields left out
          logged: "12:05:01"                         # Kafka timestamp; else the newest event time so far
          key: card-1                                # Kafka key; else the entity of the record
          partition: 0
          dead_letter: {reason: schema, detail: …, watermark: "12:04:30", lateness_ms: -30000}
        - raw: [{repeat: "[", times: 100000}, {hex: ff}, "text", {base64: …}]   # bytes as they are; null is no value
          dead_letter: {reason: malformed}
      reads:
        - {entity: card-1, at: "12:05:00", features: {txn_count: 0}}

Ids are t1, t2, … in the order of the records. A dead letter gives `reason`, and of the rest what matters.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from math import isclose
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.reference import GROUPS, computing
from twinstream.core.dead_letters import DeadLetter
from twinstream.core.feature_group import Feature
from twinstream.core.vectors import FeatureRecord

FOLDER = Path(__file__).parent
DAY = "2026-03-02"
NOON_MS = 1_772_452_800_000

_SMALLEST: dict[str, dict[str, Any]] = {
    "transaction": {"card_id": "card-1", "amount": 10, "currency": "EUR"},
    "order": {"user_id": "user-1", "price": 10, "quantity": 1, "currency": "EUR"},
    "clickstream": {"user_id": "user-1", "session_id": "s1", "event_type": "page_view"},
}
_ID = {"transaction": "transaction_id", "order": "transaction_id", "clickstream": "event_id"}
_TIME = {"transaction": "event_time", "order": "timestamp", "clickstream": "event_time"}
_ANY = object()


@dataclass(frozen=True, slots=True)
class Settings:
    """What a runtime is configured with."""

    window_ms: int = 300_000
    lateness_ms: int = 30_000
    max_future_skew_ms: int = 30_000
    max_events: int = 50_000
    max_record_bytes: int = 1_048_576


@dataclass(frozen=True, slots=True)
class ExpectedDeadLetter:
    """What a dead letter must say; what the case leaves out may be anything."""

    reason: str
    detail: str | None
    watermark: Any
    lateness_ms: Any


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it stands in the source log, and what must become of it: features or a dead letter."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    expected: dict[str, Any] | ExpectedDeadLetter
    append_timed: bool = True


@dataclass(frozen=True, slots=True)
class Read:
    """Some features of an entity at a moment, asked after all records."""

    entity: str
    partition: int
    at_ms: int
    features: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `raising` names a feature and an event id: with that event the newest of its window, it raises."""

    name: str
    group: str
    settings: Settings
    records: tuple[Record, ...]
    reads: tuple[Read, ...]
    raising: tuple[str, str] | None = None

    @property
    def topic(self) -> str:
        return GROUPS[self.group].topic

    @contextmanager
    def injected(self) -> Iterator[None]:
        """While it lasts, the feature that is to raise does so, in this process."""
        if self.raising is None:
            yield
            return
        group = GROUPS[self.group]
        with computing(group, [_raising(feature, *self.raising) for feature in group.features]):
            yield


Runner = Callable[[Case], tuple[Sequence[FeatureRecord], Sequence[DeadLetter]]]


@cache
def load_cases() -> list[Case]:
    """Every case of every file in this folder."""
    return [
        _case(data, f"{path.stem}: {data['name']}")
        for path in sorted(FOLDER.glob("*.yaml"))
        for data in yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    ]


def merged(cases: Sequence[Case]) -> list[Case]:
    """The same records in fewer cases: those of one group and equal settings side by side, on partitions of their own.

    For runtimes that are slow to start. Cases with an injected failure are left out. Readings are of an entity in a
    partition: a store that shows one state per entity cannot answer them, since the cases share their entities.
    """
    merged: dict[tuple[str, Settings], Case] = {}
    for case in cases:
        if case.raising is not None:
            continue
        into = merged.get((case.group, case.settings)) or Case(f"all {case.group}", case.group, case.settings, (), ())
        first = 1 + max((record.partition for record in into.records), default=-1)
        merged[case.group, case.settings] = replace(
            into,
            records=into.records
            + tuple(replace(record, partition=first + record.partition) for record in case.records),
            reads=into.reads + tuple(replace(read, partition=first + read.partition) for read in case.reads),
        )
    return list(merged.values())


def check(case: Case, feature_records: Sequence[FeatureRecord], dead_letters: Sequence[DeadLetter]) -> None:
    """Every record has become exactly what the case says.

    Outcomes are matched with records by their order within the partition, so offsets may have gaps.

    Raises:
        AssertionError: what differs, one line for each.
    """
    faults = []
    for partition in sorted({record.partition for record in case.records}):
        records = [record for record in case.records if record.partition == partition]
        outcomes = sorted(
            (outcome for outcome in (*feature_records, *dead_letters) if outcome.partition == partition),
            key=lambda outcome: outcome.offset,
        )
        if len(records) != len(outcomes):
            faults.append(f"partition {partition}: {len(records)} records in, {len(outcomes)} outcomes")
        for record, outcome in zip(records, outcomes, strict=False):
            place = f"record {record.offset + 1} of partition {partition}"
            faults += [f"{place}: {fault}" for fault in _differences(record, outcome)]
    assert not faults, "\n".join([case.name, *faults])


def check_reads(case: Case, read: Callable[[Read], Mapping[str, Any]]) -> None:
    """What `read` answers is what the case says.

    Raises:
        AssertionError: what differs, one line for each.
    """
    faults = []
    for asked in case.reads:
        for fault in _feature_differences(asked.features, read(asked)):
            faults.append(f"{asked.entity} at {_iso(asked.at_ms)}: {fault}")
    assert not faults, "\n".join([case.name, *faults])


# --- comparing ------------------------------------------------------------------------------------------------------


def _differences(record: Record, outcome: FeatureRecord | DeadLetter) -> list[str]:
    expected = record.expected
    if outcome.timestamp != record.timestamp:
        return [f"expected timestamp {record.timestamp}, got {outcome.timestamp}"]
    if isinstance(outcome, FeatureRecord):
        if isinstance(expected, ExpectedDeadLetter):
            return [f"expected a dead letter ({expected.reason}), got features"]
        return _feature_differences(expected, outcome.features)
    if not isinstance(expected, ExpectedDeadLetter):
        return [f"expected features, got a dead letter ({outcome.reason}: {outcome.detail})"]
    faults = []
    for name in ("reason", "detail", "watermark", "lateness_ms"):
        wanted, got = getattr(expected, name), getattr(outcome, name)
        if wanted is not _ANY and wanted != got:
            faults.append(f"expected {name} {wanted}, got {got}")
    if (outcome.key, outcome.value) != (record.key, record.value):
        faults.append("the dead letter has not the record's own bytes")
    return faults


def _feature_differences(expected: Mapping[str, Any], vector: Any) -> list[str]:
    actual = dict(vector) if isinstance(vector, Mapping) else msgspec.structs.asdict(vector)
    return [
        f"expected {name} {value}, got {actual.get(name, 'no such feature')}"
        for name, value in expected.items()
        if name not in actual or not _same(value, actual[name])
    ]


def _same(expected: Any, actual: Any) -> bool:
    """Equal; floats to nine digits, since people write them; lists and tuples alike."""
    if isinstance(actual, list | tuple):
        return list(actual) == expected
    numbers = (int, float)
    if type(expected) in numbers and type(actual) in numbers:
        return isclose(expected, actual, rel_tol=1e-9)
    return type(expected) is type(actual) and expected == actual


# --- reading --------------------------------------------------------------------------------------------------------


def _case(data: dict[str, Any], name: str) -> Case:
    known = {"name", "group", "settings", "stamped_by", "records", "reads", "raising"}
    assert data.keys() <= known, f"{name}: unknown {data.keys() - known}"
    group = data["group"]
    return Case(
        name=name,
        group=group,
        settings=Settings(**data.get("settings", {})),
        records=_records(data["records"], group, data.get("stamped_by", "broker")),
        reads=tuple(
            Read(read["entity"], read.get("partition", 0), _ms(read["at"]), read["features"])
            for read in data.get("reads", [])
        ),
        raising=tuple(data["raising"]) if "raising" in data else None,
    )


def _records(items: list[dict[str, Any]], group: str, stamped_by: str) -> tuple[Record, ...]:
    records: list[Record] = []
    logged_ms: dict[int, int] = {}
    for number, item in enumerate(items, start=1):
        partition = item.get("partition", 0)
        at_ms = _ms(item["at"]) if "at" in item else 0
        logged_ms[partition] = max(logged_ms.get(partition, 0), at_ms) or NOON_MS
        if "logged" in item:
            logged_ms[partition] = _ms(item["logged"])
        fields = _SMALLEST[group] | {_ID[group]: f"t{number}", _TIME[group]: _iso(at_ms)} | item.get("value", {})
        fields = {name: value for name, value in fields.items() if name not in item.get("without", [])}
        value = _bytes(item["raw"]) if "raw" in item else json.dumps(fields, ensure_ascii=False).encode()
        key = item.get("key", None if "raw" in item else fields.get(GROUPS[group].entity))
        records.append(
            Record(
                topic=GROUPS[group].topic,
                partition=partition,
                offset=sum(record.partition == partition for record in records),
                timestamp=logged_ms[partition],
                key=None if key is None else str(key).encode(),
                value=value,
                expected=_dead_letter(**item["dead_letter"]) if "dead_letter" in item else item["features"],
                append_timed={"broker": True, "producer": False}[stamped_by],
            )
        )
    return tuple(records)


def _dead_letter(
    reason: str, detail: str | None = None, watermark: Any = _ANY, lateness_ms: Any = _ANY
) -> ExpectedDeadLetter:
    known = None if watermark is None else watermark if watermark is _ANY else _ms(watermark)
    return ExpectedDeadLetter(reason, _ANY if detail is None else detail, known, lateness_ms)


def _bytes(raw: Any) -> bytes | None:
    match raw:
        case None:
            return None
        case str():
            return raw.encode()
        case {"base64": str(text)}:
            return base64.b64decode(text)
        case {"hex": str(text)}:
            return bytes.fromhex(text)
        case {"repeat": str(text), "times": int(times)}:
            return text.encode() * times
        case [*pieces]:
            return b"".join(_bytes(piece) or b"" for piece in pieces)
    raise ValueError(f"no bytes: {raw!r}")


def _ms(time: str) -> int:
    """Epoch ms of `HH:MM:SS[.mmm]` on the day of the cases, or of an ISO time."""
    iso = time if "T" in time else f"{DAY}T{time}"
    moment = datetime.fromisoformat(iso.removesuffix("Z")).replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _raising(feature: Feature, name: str, event_id: str) -> Feature:
    if feature.name != name:
        return feature

    def compute(window: Any) -> Any:
        if window.newest is not None and window.newest.id == event_id:
            raise ZeroDivisionError("injected")
        return feature.compute(window if feature.derive is None else feature.derive(window))

    return replace(feature, compute=compute, derive=None)
