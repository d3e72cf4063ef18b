"""Text as a feature: the same in the feature log, in Parquet, and on one line of its Redis hash."""

from typing import Any
from urllib.parse import unquote

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from twinstream import Event, FeatureGroup, Id, Text, Timestamp, count, last, last_n
from twinstream.core.feature_group import FeatureGroup as Definition
from twinstream.core.vectors import FeatureRecord, encode_feature_record, hash_lines, readable
from twinstream.declare.group import definition_of
from twinstream.offline.columns import RecordDecoder, to_frame


class Login(Event):
    login_id: Id
    at: Timestamp
    account_id: Id
    agent: Text | None = None


class LoginFeatures(
    FeatureGroup, event=Login, topic="logins", entity=Login.account_id, time=Login.at, id=Login.login_id
):
    login_count = count()
    agent = last(Login.agent)
    agents = last_n(Login.agent, 3)


def group() -> Definition:
    found = definition_of(LoginFeatures)
    assert found is not None
    return found


def vector(agent: str | None, agents: tuple[str, ...] = ()) -> Any:
    return group().values(login_count=1, agent=agent, agents=agents)


texts = st.text(max_size=20)


@given(texts | st.none(), st.lists(texts, max_size=3).map(tuple))
@example("null", ("null", 'a "b", [c]', "%20", "a\\b", "\n\r\t\x00\x7f"))
def test_any_text_is_one_line_and_comes_back(agent: str | None, agents: tuple[str, ...]) -> None:
    lines = hash_lines(group(), vector(agent, agents)).decode().split("\n")
    assert lines == ["1", readable(agent), readable(agents), ""]  # each ends a line
    assert (lines[1] == "null") == (agent is None)
    assert agent is None or unquote(lines[1]) == agent
    assert [unquote(name) for name in lines[2].split(",")] == (list(agents) or [""])


def test_an_address_stands_as_it_is() -> None:
    assert hash_lines(group(), vector("2001:db8::1", ("a-1", "b.c_2"))) == b"1\n2001:db8::1\na-1,b.c_2\n"


@given(st.lists(texts | st.none(), max_size=5))
def test_through_columns_a_log_keeps_every_byte(agents: list[str | None]) -> None:
    records = [
        FeatureRecord(
            group="login",
            version=1,
            entity="a1",
            event_id="l1",
            event_time=1_772_452_800_000,
            topic="logins",
            partition=0,
            offset=offset,
            timestamp=1_772_452_800_000,
            features=vector(agent, tuple(filter(None, agents))),
        )
        for offset, agent in enumerate(agents)
    ]
    decode = RecordDecoder(group()).decode
    read = [decode(encode_feature_record(record)) for record in records]
    assert read == records
    rows = to_frame(group(), read).select("login_count", "agent", "agents").rows()
    assert [group().values(count, agent, tuple(some)) for count, agent, some in rows] == [
        record.features for record in records
    ]
    assert all(msgspec.json.decode(encode_feature_record(record)) for record in read)
