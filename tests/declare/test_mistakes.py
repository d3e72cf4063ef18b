"""What is wrong with a declaration is one line: the file, the line, and what to do."""

from pathlib import Path
from typing import Any

import pytest

from tests.declare.sign_ins import SIGN_INS, write
from twinstream import Event, FeatureGroup, Id, Text, Timestamp, last
from twinstream.check import check_without_events
from twinstream.core.validation import DefinitionError
from twinstream.definitions import load_registry
from twinstream.errors import UserError

GROUP = "class LoginFeatures"

# What is changed in the file of sign-ins, the line it is found in, and what is said.
MISTAKES = {
    "a field that is not there": (
        "last(Login.ip)",
        "last(Login.ipp)",
        "last_ip",
        r"Login has no field 'ipp'\. It has: login_id, at, account_id, ip, success",
    ),
    "a condition on a field that is not there": (
        "not login.success",
        "not login.sucess",
        GROUP,
        r"`not login.sucess` reads the field 'sucess', which Login does not have\. It has: login_id",
    ),
    "a field of another event": (
        "last(Login.ip)",
        "last(Click.page)",
        GROUP,
        "last_ip reads Click.page, and the event of its group is Login",
    ),
    "categories that have no order": (
        "last(Login.ip)",
        "by(Click.either, count())",
        "last_ip",
        "by takes text or integers, and either has str or int",
    ),
    "a name that is taken": ("last_ip =", "topic =", GROUP, "'topic' .* name that is taken"),
    "a name that the engine has": ("last_ip =", "window =", GROUP, "'window' of LoginFeatures .* name that is taken"),
    "a feature without meaning": (
        '        """Share of the sign-ins that failed."""\n',
        "",
        "@feature",
        "'failure_rate' does not say what it means. Give its method a docstring",
    ),
    "a method of no type": ("-> float | None", "", GROUP, "'failure_rate' returns nothing, which has no column"),
    "a method that makes a list": ("-> float | None", "-> list[int]", GROUP, "'failure_rate' returns list"),
    "a mapping as a feature": (
        "last_ip = last(Login.ip)",
        "per_ip = by(Login.ip, count())",
        GROUP,
        "'per_ip' returns Mapping.*underscore",
    ),
    "a float that is kept": (
        "last(Login.ip)",
        "last(Click.height)",
        "last_ip",
        "Click.height is a float, and state has none.*Give a function that makes an integer of it",
    ),
    "money that is kept as it is": (
        "last(Login.ip)",
        "last(Click.price)",
        "last_ip",
        "Click.price is a decimal, and state has none.*minor units",
    ),
    "a list that is kept": (
        "last(Login.ip)",
        "last(Click.tags)",
        "last_ip",
        "Click.tags is a list, which state does not",
    ),
    "a sum of text": ("last(Login.ip)", "sum(Login.ip)", "last_ip", "sum takes integers, and ip has str"),
    "a share of what is no condition": (
        "last(Login.ip)",
        "share(Login.ip)",
        "last_ip",
        "share takes a condition, and ip",
    ),
    "a quantile beyond one": (
        "last(Login.ip)",
        "quantile(Click.x, 95)",
        "last_ip",
        "q=95. It is above 0 and at most 1",
    ),
    "a quantile that is no number": ("last(Login.ip)", 'quantile(Click.x, "p95")', "last_ip", "q='p95'. It is above 0"),
    "a record inside itself": (
        "success: bool = True",
        'success: bool = True\n    before: "Login | None" = None',
        GROUP,
        "Login has a Login inside, to any depth",
    ),
    "a half-life that is none": (
        "last(Login.ip)",
        'decayed_count("10 minutes")',
        "last_ip",
        "'10 minutes' is no duration. Write a number and s, m, h or d",
    ),
    "the last none": ("last(Login.ip)", "last_n(Login.ip, 0)", "last_ip", "last_n was given 0"),
    "a value instead of a field": (
        "last(Login.ip)",
        "max(3, 4)",
        "last_ip",
        "max was given 3.*builtins|takes 1 positional",
    ),
    "a function that does not say what it makes": (
        "last(Login.ip)",
        "last(lambda login: login.ip)",
        "last_ip",
        r"last was given the function `login.ip`, which does not say what type it returns",
    ),
    "a condition that is none": (
        "where=lambda login: not login.success",
        "where=True",
        "failed_count",
        "where=True is no",
    ),
    "a type that nobody has defined": (
        "success: bool = True",
        'success: "Truth" = True',
        "distinct_ips",
        "The types of Login cannot be read: name 'Truth' is not defined. Import or define it",
    ),
    "a condition on two records": (
        "lambda login: not login.success",
        "lambda login, before: not login.success",
        GROUP,
        "`not login.success` cannot be called with one argument. It is a function of one Login",
    ),
    "a condition by a wrong name": (
        "count(where=",
        "count(were=",
        "failed_count",
        r"count was given were=, which no word takes\. There are: where=, unit=, meaning=",
    ),
    "a field that is no feature yet": ("last(Login.ip)", "Login.ip", GROUP, r"last_ip is the field Login.ip.*last\("),
    "a word that is not called": (
        "count()",
        "count",
        GROUP,
        r"login_count is the word itself. Call it: login_count = c",
    ),
    "an aggregate that cannot give back": (
        "last(Login.ip)",
        "aggregate(OneWay, Login.ip)",
        "last_ip",
        "The aggregate OneWay lacks remove",
    ),
    "an aggregate of no type": (
        "last(Login.ip)",
        "aggregate(Typeless, Login.ip)",
        "last_ip",
        "Typeless does not say what type its value has",
    ),
    "a field that is renamed": (
        "class Login(Event)",
        'class Login(Event, rename="camel")',
        GROUP,
        "Login renames fields",
    ),
    "a check inside a list": (
        "success: bool = True",
        "success: bool = True\n    friends: list[Id] = []",
        GROUP,
        "Login.friends is a list or the like of values with a check",
    ),
    "no topic": ('topic="logins", ', "", GROUP, "LoginFeatures does not say which topic it reads"),
    "no event": ("event=Login, ", "", GROUP, "LoginFeatures has topic= and no event"),
    "no entity": (
        "entity=Login.account_id, ",
        "",
        GROUP,
        "does not say which field is its entity, such as entity=Login",
    ),
    "an entity by its name": (
        "entity=Login.account_id",
        'entity="account_id"',
        GROUP,
        "entity='account_id', which is no f",
    ),
    "an entity that is any text": (
        "entity=Login.account_id",
        "entity=Login.ip",
        GROUP,
        "Login.ip cannot be the entity.*Id",
    ),
    "a time that is a number": ("time=Login.at", "time=Login.success", GROUP, "success cannot be the time.*Timestamp"),
    "an id of another event": ("id=Login.login_id", "id=Click.click_id", GROUP, "takes its id from Click.click_id"),
    "a topic with a space": ('topic="logins"', 'topic="log ins"', GROUP, "'log ins'"),
}

MORE = '''
from twinstream import Amount, aggregate, by, decayed_count, last_n, max, quantile, share, sum


class Click(Event):
    click_id: Id
    page: Text | None = None
    height: float = 0
    price: Amount = 0
    tags: list[str] = []
    x: int = 0
    either: Text | int = 0


class OneWay:
    """It only grows."""

    value: int

    def add(self, value: str) -> None: ...


class Typeless:
    """It does not say."""

    def add(self, value: str) -> None: ...
    def remove(self, value: str) -> None: ...


class Login(Event)'''


@pytest.mark.parametrize(("before", "after", "line", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, before: str, after: str, line: str, said: str) -> None:
    right = SIGN_INS.replace("\nclass Login(Event)", MORE, 1)
    assert before in right
    text = right.replace(before, after, 1)
    path = write(tmp_path, "wrong", text)
    number = 1 + text[: text.index(line)].count("\n")
    with pytest.raises(UserError, match=said) as refusal:
        load_registry(path)
    assert str(refusal.value).startswith(f"{path}:{number}: ")
    assert "\n" not in str(refusal.value)


def test_the_file_without_a_mistake_loads(tmp_path: Path) -> None:
    assert load_registry(write(tmp_path, "right", SIGN_INS.replace("\nclass Login(Event)", MORE, 1))).names == (
        "login",
    )


def test_a_method_that_fails_without_events_is_found_before_a_reader_meets_it(tmp_path: Path) -> None:
    text = SIGN_INS.replace(" if self.login_count else None", "")
    (group,) = load_registry(write(tmp_path, "fragile", text))
    number = 1 + text[: text.index("@feature")].count("\n")
    with pytest.raises(UserError, match=rf"fragile_\d+\.py:{number}: failure_rate raised ZeroDivisionError"):
        check_without_events(group, 300_000)


def test_a_field_that_an_event_has_with_another_type_than_its_base_is_not_read() -> None:
    class Sale(Event):
        sale_id: Id
        at: Timestamp
        customer: Id
        price: int

    class Dear(Sale):
        price: Text

    fields: Any = Dear
    options = {"topic": "sales", "entity": fields.customer, "time": fields.at, "id": fields.sale_id}
    make: Any = type
    for of in (Dear.price, Sale.price):  # one and the same to Python
        with pytest.raises(DefinitionError, match="price reads Dear.price, which has another type than Sale.price"):
            make("DearFeatures", (FeatureGroup,), {"price": last(of)}, event=Dear, **options)
