"""The study guide's snippets run as they stand, and its questions have answers."""

import re
from pathlib import Path

import pytest

TEXT = (Path(__file__).resolve().parents[2] / "StudyDoc.md").read_text(encoding="utf-8")
FOUND = re.finditer(r"```python\n(.*?)```", TEXT, re.S)
SNIPPETS = [(TEXT[: found.start()].count("\n") + 2, found[1]) for found in FOUND]


@pytest.mark.parametrize(("line", "snippet"), SNIPPETS, ids=[f"line {line}" for line, _ in SNIPPETS])
def test_a_snippet_runs(line: int, snippet: str) -> None:
    exec(compile("\n" * (line - 1) + snippet, "StudyDoc.md", "exec"), {"__name__": f"study_doc_{line}"})


def test_every_question_has_an_answer() -> None:
    questions, _, answers = TEXT.partition("## Answers")
    asked = set(re.findall(r"(?<![\d.])(\d+\.\d+) [A-Z]", questions))
    answered = set(re.findall(r"^- \*\*(\d+\.\d+)\*\*", answers, re.M))
    assert asked == answered
