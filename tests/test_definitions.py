"""Feature definitions of one's own: found by module, file or entry point; what is wrong with them is one line."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from twinstream.check import check_without_events
from twinstream.definitions import load_registry
from twinstream.errors import UserError

LOGINS = '''"""Sign-ins of an account."""

from msgspec import Struct

from twinstream import Decoder, Family, FeatureGroup, Id, Timestamp, Window, check_id, epoch_ms


class Login(Struct, frozen=True):
    login_id: Id
    at: Timestamp
    account_id: Id
    success: bool = True


class Attempt(Struct, frozen=True, array_like=True):
    time_ms: int
    offset: int
    id: str
    failed: bool


decoder = Decoder(Login)
logins: Family[Window[Attempt]] = Family("logins")


def decode(value: bytes | None, offset: int) -> tuple[str, Attempt]:
    login = decoder.decode(value)
    attempt = Attempt(epoch_ms(login.at, "at"), offset, check_id(login.login_id, "login_id"), not login.success)
    return check_id(login.account_id, "account_id"), attempt


@logins.feature(unit="sign-ins", meaning="Sign-ins in the window.")
def login_count(window: Window[Attempt]) -> int:
    return window.count


login_features = FeatureGroup(
    name="login", version=1, topic="logins", entity="account_id", time="at", id="login_id",
    wire_type=Login, event_type=Attempt, decode=decode, window=Window, families=(logins,),
)
'''


def write(folder: Path, name: str, text: str) -> str:
    """A file of definitions; its name is new in every test, since a module is loaded once."""
    path = folder / f"{name}_{abs(hash((str(folder), text)))}.py"
    path.write_text(text)
    return str(path)


def test_a_file_is_all_that_a_group_needs(tmp_path: Path) -> None:
    registry = load_registry(write(tmp_path, "logins", LOGINS))
    assert (registry.names, registry.topics) == (("login",), ("logins",))
    group = registry.named("login")
    entity, event = group.decode(b'{"login_id":"l1","at":1772452800000,"account_id":"a1","success":false}', 7)
    assert (entity, event.offset, event.failed) == ("a1", 7, True)  # type: ignore[attr-defined]


def test_a_file_in_a_package_has_its_name_there_and_may_be_called_as_the_reference_is(tmp_path: Path) -> None:
    package = tmp_path / f"shop_{abs(hash(str(tmp_path)))}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "features.py").write_text(LOGINS)
    registry = load_registry(f"features,{package / 'features.py'}")
    assert registry.names == ("transaction", "order", "clickstream", "login")
    assert registry.source == f"features,{package.name}.features"


def test_several_modules_stand_side_by_side_in_their_order(tmp_path: Path) -> None:
    registry = load_registry(f"{write(tmp_path, 'logins', LOGINS)}, features")
    assert registry.names == ("login", "transaction", "order", "clickstream")


def test_by_default_the_reference_definitions_are_loaded() -> None:
    assert load_registry("") is load_registry("features")
    assert load_registry().names == ("transaction", "order", "clickstream")


# What is changed in the file above, the line it is found in, and what is said.
MISTAKES = {
    "an entity that is no field": ('entity="account_id"', 'entity="account"', "login_features", "field 'account'"),
    "a time that is no field": ('time="at"', 'time="when"', "login_features", "field 'when'"),
    "a float in the state": ("failed: bool", "failed: float", "login_features", "Attempt.failed is a float"),
    "a list in the state": ("failed: bool", "failed: list[str]", "login_features", "Attempt.failed is a list"),
    "an event that is no class": (
        "event_type=Attempt",
        "event_type=7",
        "login_features",
        "event type 7 .* no msgspec.Struct",
    ),
    "a record that is no struct": (
        "wire_type=Login",
        "wire_type=dict",
        "login_features",
        "record type dict .* no msgspec.Struct",
    ),
    "an event without an id": ("    id: str\n", "", "login_features", "lacks id"),
    "an event kept by name": (", array_like=True", "", "login_features", "array_like=True"),
    "a feature of no type": ("-> int:", ":", "@logins.feature", "'login_count' returns nothing"),
    "a feature that is a list": ("-> int:", "-> list[int]:", "@logins.feature", "'login_count' returns list"),
    "a feature that is a pair": ("-> int:", "-> tuple[int, None]:", "@logins.feature", "'login_count' returns"),
    "a feature of two types": ("-> int:", "-> int | str:", "@logins.feature", "'login_count' returns"),
    "a name that is taken": ("def login_count", "def offset", "login_features", "'offset' .* name that is taken"),
    "a group's name with a space": ('name="login"', 'name="log in"', "login_features", "'log in'"),
    "a name that nobody defined": ("Decoder(Login)", "Decode(Login)", "decoder =", "NameError: .*Decode"),
    "a file that ends the process": ("decoder = ", "raise SystemExit\ndecoder = ", "raise", "SystemExit"),
    "a second key of the topic": (
        "families=(logins,),\n)\n",
        """families=(logins,),
)

by_login = FeatureGroup(
    name="by_login", version=1, topic="logins", entity="login_id", time="at", id="login_id",
    wire_type=Login, event_type=Attempt, decode=decode, window=Window, families=(logins,),
)
""",
        "by_login",
        "read the topic 'logins' by different keys, account_id and login_id.* to another topic",
    ),
    "a name that another group has": (
        "families=(logins,),\n)\n",
        """families=(logins,),
)

again = FeatureGroup(
    name="login", version=1, topic="others", entity="account_id", time="at", id="login_id",
    wire_type=Login, event_type=Attempt, decode=decode, window=Window, families=(logins,),
)
""",
        "again",
        "two feature groups named 'login'. Give one of them another name",
    ),
    "no Python": ("decoder = ", "decoder == = ", "decoder =", "invalid syntax"),
    "a package that is not there": ("from msgspec", "from msgspeck", "from msgspec", "No module named 'msgspeck'"),
}


@pytest.mark.parametrize(("before", "after", "line", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, before: str, after: str, line: str, said: str) -> None:
    assert before in LOGINS
    path = write(tmp_path, "wrong", LOGINS.replace(before, after))
    text = Path(path).read_text()
    number = 1 + text[: text.index(line)].count("\n")
    with pytest.raises(UserError, match=said) as refusal:
        load_registry(path)
    assert str(refusal.value).startswith(f"{path}:{number}: ")
    assert "\n" not in str(refusal.value)


NOT_THERE = {
    "shop.nowhere": "There is no module shop.nowhere",
    "shop/nowhere.py": "There is no file shop/nowhere.py",
    "json": "json defines no feature group",
    "features,features.nowhere": "There is no module features.nowhere",
}


@pytest.mark.parametrize(("names", "said"), NOT_THERE.items(), ids=NOT_THERE)
def test_what_is_not_there_is_said(names: str, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        load_registry(names)


def test_two_groups_of_one_name_are_refused_also_in_two_files(tmp_path: Path) -> None:
    two = write(tmp_path, "two", LOGINS + "\n")
    with pytest.raises(UserError, match=rf"{re.escape(two)}:\d+: .* two feature groups named 'login'"):
        load_registry(f"{write(tmp_path, 'one', LOGINS)},{two}")


def test_groups_of_several_files_may_read_one_topic(tmp_path: Path) -> None:
    other = write(tmp_path, "two", LOGINS.replace('name="login"', 'name="other"'))
    registry = load_registry(f"{write(tmp_path, 'one', LOGINS)},{other}")
    assert registry.topics == ("logins",)
    assert [group.name for group in registry.of_topic("logins")] == ["login", "other"]


def test_a_feature_that_fails_without_events_is_found_before_a_reader_meets_it(tmp_path: Path) -> None:
    path = write(tmp_path, "fragile", LOGINS.replace("return window.count", "return 100 // window.count"))
    (group,) = load_registry(path)
    with pytest.raises(UserError, match=r"fragile_\d+\.py:\d+: login_count raised ZeroDivisionError"):
        check_without_events(group, 300_000)


def test_the_command_checks_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "features.py").write_text(LOGINS)
    root = str(Path(__file__).resolve().parent.parent)
    for named in ("shop.features", "shop/features.py"):
        done = subprocess.run(
            [sys.executable, "-m", "twinstream", "check", "--features", named],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"PYTHONPATH": root, "PATH": "/usr/bin:/bin"},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "login   logins   account_id" in done.stdout
