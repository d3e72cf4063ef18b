"""Sign-in features of an account: how many there were, how many failed, and from which addresses."""

from twinstream import Event, FeatureGroup, Id, Text, Timestamp, count, distinct, feature, last


class Login(Event):  # a record of the topic, in JSON
    login_id: Id
    at: Timestamp
    account_id: Id
    ip: Text | None = None
    success: bool = True


class LoginFeatures(
    FeatureGroup, event=Login, topic="logins", entity=Login.account_id, time=Login.at, id=Login.login_id
):
    login_count = count(unit="sign-ins", meaning="Sign-ins of the account in the window, this one included.")
    failed_count = count(where=lambda login: not login.success, unit="sign-ins", meaning="Those of them that failed.")
    distinct_ips = distinct(Login.ip, unit="addresses", meaning="Different addresses that they came from.")
    last_ip = last(Login.ip, meaning="Address of the newest of them that has one; null without any.")

    @feature(unit="ratio")
    def failure_rate(self) -> float | None:
        """Share of the sign-ins that failed; null without any."""
        return self.failed_count / self.login_count if self.login_count else None
