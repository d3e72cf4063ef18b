"""Moments as they are typed and shown."""

import pytest

from twinstream.errors import UserError
from twinstream.timestamps import iso, parse_moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00.25Z",
        "2026-03-01T12:00:00.250+00:00",
        "2026-03-01T17:30:00.250+05:30",
        "2026-03-01 07:00:00.250-05:00",
        "1772366400250",
    ],
)
def test_one_moment_can_be_written_in_many_ways(text: str) -> None:
    assert parse_moment(text) == 1_772_366_400_250
    assert iso(parse_moment(text)) == "2026-03-01T12:00:00.250Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1772366400",
        "2026-03-01",
        "2026-03-01T12:00:00",
        "-1",
        "1e3",
        "٣",
        "9" * 30,
        "1969-12-31T23:59:59Z",
        "24:00Z",
    ],
)
def test_what_is_no_moment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match="is no time from 2000 to 9999. Give one like"):
        parse_moment(text)
