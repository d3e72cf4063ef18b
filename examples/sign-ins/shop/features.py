"""Sign-in features of an account: how many there were, how many failed, and from how many addresses."""

from msgspec import Struct

from twinstream import Decoder, Family, FeatureGroup, Id, Tally, Text, Timestamp, Window, check_id, epoch_ms


class Login(Struct, frozen=True):  # a record of the topic, in JSON
    login_id: Id
    at: Timestamp
    account_id: Id
    ip: Text | None = None
    success: bool = True


class Attempt(Struct, frozen=True, array_like=True):  # what is kept of it while it can be in a window
    time_ms: int
    offset: int
    id: str
    ip: str | None
    failed: bool


decoder = Decoder(Login)
logins: Family["LoginWindow"] = Family("logins")


class Failures:
    """What the features need of the attempts in the window; which end one comes or goes by does not matter."""

    def __init__(self) -> None:
        self.failed = 0
        self.ips = Tally()

    def append(self, event: Attempt) -> None:
        self.failed += event.failed
        self.ips.add(event.ip)

    def pop(self, event: Attempt) -> None:
        self.failed -= event.failed
        self.ips.remove(event.ip)

    appendleft = append
    popleft = pop


class LoginWindow(Window[Attempt]):
    """A window over attempts."""

    def __init__(self, size_ms: int) -> None:
        self.failures = Failures()
        super().__init__(size_ms, (self.failures,))


@logins.feature(unit="sign-ins", meaning="Sign-ins of the account in the window, this one included.")
def login_count(window: LoginWindow) -> int:
    return window.count


@logins.feature(unit="sign-ins", meaning="Those of them that failed.")
def failed_count(window: LoginWindow) -> int:
    return window.failures.failed


@logins.feature(unit="addresses", meaning="Different addresses that they came from.")
def distinct_ips(window: LoginWindow) -> int:
    return len(window.failures.ips)


@logins.feature(unit="ratio", meaning="Share of the sign-ins that failed; null without any.")
def failure_rate(window: LoginWindow) -> float | None:
    return window.failures.failed / window.count if window.count else None


def decode(value: bytes | None, offset: int) -> tuple[str, Attempt]:
    """The account and the sign-in as it is kept; raises `Rejected` when the record is not as it must be."""
    login = decoder.decode(value)
    attempt = Attempt(
        time_ms=epoch_ms(login.at, "at"),
        offset=offset,
        id=check_id(login.login_id, "login_id"),
        ip=login.ip,
        failed=not login.success,
    )
    return check_id(login.account_id, "account_id"), attempt


login_features = FeatureGroup(
    name="login",
    version=1,
    topic="logins",
    entity="account_id",
    time="at",
    id="login_id",
    wire_type=Login,
    event_type=Attempt,
    decode=decode,
    window=LoginWindow,
    families=(logins,),
)
