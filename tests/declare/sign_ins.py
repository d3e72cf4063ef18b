"""The sign-ins of the documentation: a user's file of definitions, as text and loaded."""

from pathlib import Path

SIGN_INS = '''"""Sign-in features of an account."""

from twinstream import Event, FeatureGroup, Id, Text, Timestamp, count, distinct, feature, last


class Login(Event):
    login_id: Id
    at: Timestamp
    account_id: Id
    ip: Text | None = None
    success: bool = True


class LoginFeatures(
    FeatureGroup, event=Login, topic="logins", entity=Login.account_id, time=Login.at, id=Login.login_id
):
    login_count = count()
    failed_count = count(where=lambda login: not login.success)
    distinct_ips = distinct(Login.ip)
    last_ip = last(Login.ip)

    @feature(unit="ratio")
    def failure_rate(self) -> float | None:
        """Share of the sign-ins that failed."""
        return self.failed_count / self.login_count if self.login_count else None
'''


def write(folder: Path, name: str, text: str) -> str:
    """A file of definitions; its name is new in every test, since a module is loaded once."""
    path = folder / f"{name}_{abs(hash((str(folder), text)))}.py"
    path.write_text(text)
    return str(path)
