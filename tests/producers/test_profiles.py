"""What every profile promises: records that decode, match their schema, and come out the same from the same seed."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.profiles import PROFILES, make_profile
from producers.records import encode, parse_ms
from producers.schema import load_schema
from tests.producers.conftest import ROOT, START_MS
from tests.properties import tries
from tests.reference import BY_TOPIC

gaps = st.lists(st.integers(0, 120_000), min_size=1, max_size=60)
names = st.sampled_from(sorted(PROFILES))


@tries(60)
@given(names, st.integers(0, 2**31), gaps)
def test_every_record_of_every_profile_decodes_in_the_feature_engine(name: str, seed: int, pauses: list[int]) -> None:
    profile = make_profile(name, seed)
    decode = BY_TOPIC[profile.topic].decode
    time_ms = START_MS
    for offset, pause in enumerate(pauses):
        time_ms += pause
        record = profile.record(time_ms)
        entity, event = decode(encode(record), offset)
        assert entity == record[profile.key_field]
        assert event.time_ms == time_ms


@tries(60)
@given(names, st.integers(0, 2**31), gaps)
def test_every_record_of_every_profile_matches_its_schema(name: str, seed: int, pauses: list[int]) -> None:
    profile = make_profile(name, seed)
    schema = load_schema(profile.schema)
    time_ms = START_MS
    for pause in pauses:
        time_ms += pause
        record = profile.record(time_ms)
        assert schema.faults(record) == []
        assert list(record) == [field.name for field in schema.fields]
        assert parse_ms(record[schema.time]) == time_ms


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_ids_never_repeat_within_a_run_nor_between_runs_of_one_seed(name: str) -> None:
    ids: set[str] = set()
    for run in ("first", "second"):
        profile = make_profile(name, 7, run)
        key = load_schema(profile.schema).id
        ids |= {profile.record(START_MS + number * 100)[key] for number in range(2_000)}
    assert len(ids) == 4_000


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_same_seed_gives_the_same_bytes_in_two_processes(name: str) -> None:
    script = (
        "import hashlib, sys; from producers.profiles import make_profile; from producers.records import encode\n"
        f"profile = make_profile({name!r}, 11)\n"
        f"lines = [encode(profile.record({START_MS} + n * 250)) for n in range(500)]\n"
        "print(hashlib.sha256(b''.join(lines)).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_another_seed_gives_other_records(name: str) -> None:
    one, other = (make_profile(name, seed) for seed in (1, 2))
    assert [one.record(START_MS) for _ in range(5)] != [other.record(START_MS) for _ in range(5)]
