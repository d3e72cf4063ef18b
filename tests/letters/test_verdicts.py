"""What becomes of dead letters, judged one after the other."""

import json
import time

from tests.reference import GROUPS
from twinstream.core.dead_letters import DeadLetter
from twinstream.letters.selection import Notes
from twinstream.letters.verdicts import Judge, Verdict
from twinstream.settings import Settings


def test_a_letter_that_is_in_its_topic_twice_is_re_driven_once() -> None:
    """So it is after a reset of the group's offsets: the records are processed, and set aside, again."""
    now_ms = time.time_ns() // 1_000_000
    payment = {"transaction_id": "t1", "event_time": now_ms, "card_id": "c1", "amount": 10, "currency": "EUR"}
    letter = DeadLetter(
        reason="future",
        detail="",
        topic="transactions",
        partition=0,
        offset=7,
        timestamp=now_ms,
        watermark=None,
        lateness_ms=None,
        key=b"c1",
        value=json.dumps(payment).encode(),
    )
    judge = Judge(GROUPS["transaction"], Settings(), Notes(set(), set()), {})
    assert [judge.judge(letter).verdict for _ in range(2)] == [Verdict.SEND, Verdict.DONE]
