"""Numbers that documents quote are those of the code."""

import re
from pathlib import Path

import pytest

from features.payments import JUMP_M, SHORTEST_TIME_MS
from producers.kinesis import MAX_KEY_CHARACTERS
from producers.parquet import ADDRESSES, CARDS, CHUNK_ROWS, ROW_GROUP_ROWS
from producers.seeding.arrivals import DELAYED_SHARE
from producers.seeding.plan import MAX_DELAY_MS
from producers.seeding.seeder import SHARES
from producers.sinks.kafka import MAX_UNACKNOWLEDGED
from twinstream.job.key_groups import PLANNED_PARTITIONS
from twinstream.job.options import BATCH_INTERVAL_MS
from twinstream.log.kafka.client_options import MAX_SOURCE_RECORD_BYTES
from twinstream.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = {name: field.default for name, field in Settings.model_fields.items()}

QUOTED = [
    ("StudyDoc.md", "allowed lateness ({} s)", DEFAULTS["allowed_lateness_seconds"]),
    ("docs/flink.md", "wait up to {} ms for their micro-batch", BATCH_INTERVAL_MS),
    ("docs/producers.md", "arrive up to {} s late", MAX_DELAY_MS // 1_000),
    ("docs/producers.md", "{} % transactions,", round(100 * SHARES["transactions"])),
    ("docs/producers.md", "{} % orders,", round(100 * SHARES["orders"])),
    ("docs/producers.md", "{} % clicks,", round(100 * SHARES["clickstream"])),
    ("docs/producers.md", "at most {} records are unacknowledged", MAX_UNACKNOWLEDGED),
    ("docs/producers.md", "a record above {} MiB is refused", MAX_SOURCE_RECORD_BYTES // 2**20),
    ("docs/producers.md", "more than {} characters", MAX_KEY_CHARACTERS),
    ("docs/adr/0005-meanings-of-some-features.md", "moves of {} km and more", JUMP_M // 1_000),
    ("docs/adr/0006-a-million-payments.md", "pools of {} cards", CARDS),
    ("docs/adr/0006-a-million-payments.md", "{} addresses", ADDRESSES),
    ("docs/adr/0006-a-million-payments.md", "| chunks | {} rows", CHUNK_ROWS),
    ("docs/adr/0006-a-million-payments.md", "one, of up to {} rows", ROW_GROUP_ROWS),
    ("docs/adr/0021-outputs-follow-their-sources-partitions.md", "The first {} partitions", PLANNED_PARTITIONS),
    ("docs/features.md", "closer than {} ms count as", SHORTEST_TIME_MS),
    ("docs/references/synthetic-data.md", "Chunks of {} rows", CHUNK_ROWS),
]
"""A document, what it says, and what the code says."""


@pytest.mark.parametrize(("document", "sentence", "value"), QUOTED)
def test_a_number_is_the_codes(document: str, sentence: str, value: float) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    before, after = map(re.escape, sentence.split("{}"))
    said = re.findall(f"{before}([0-9][0-9  _,.]*?){after}", text)
    assert said, f"{document} does not say {sentence!r} any more: change this table, too"
    assert {float(re.sub("[  _,]", "", number)) for number in said} == {float(value)}


def test_a_tenth_of_the_seeded_records_is_delayed() -> None:
    assert "A tenth of the records arrive" in (ROOT / "docs" / "producers.md").read_text(encoding="utf-8")
    assert DELAYED_SHARE == 0.1


def test_study_doc_says_chunks_without_their_size() -> None:
    """Where a number explains nothing, the idea stands alone."""
    text = (ROOT / "StudyDoc.md").read_text(encoding="utf-8") + (
        ROOT / "docs" / "adr" / "0002-state-in-chunks-by-arrival.md"
    ).read_text(encoding="utf-8")
    assert re.findall(r"chunks of (?:up to )?\d+ events", text) == []
