"""What the demo shows."""

import pytest

from deploy.demo import SHOWN, for_a_person, main
from deploy.local import free_port
from tests.reference import GROUPS


@pytest.mark.parametrize(
    ("value", "type_name", "shown"),
    [
        ("1745.0433333333333", "float", "1,745.04"),
        ("12.0", "float", "12"),
        ("0.8500000000000001", "float", "0.85"),
        ("478182.353", "float", "478,182.35"),
        ("null", "float", "none"),
        ("12345", "int", "12,345"),
        ("true", "bool", "true"),
        ("velocity_burst,amount_spike", "names", "velocity_burst, amount_spike"),
    ],
)
def test_values_are_shown_as_a_person_reads_them(value: str, type_name: str, shown: str) -> None:
    assert for_a_person(value, type_name) == shown


def test_every_feature_that_is_shown_exists() -> None:
    for group, names in SHOWN.items():
        assert set(names) <= set(GROUPS[group].names)


def test_in_this_process_it_needs_no_service(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_SERVERS", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("REDIS_PORT", str(free_port()))
    assert main(in_process=True) == 0
    shown = capsys.readouterr().out
    assert all(f"features:{group}:" in shown for group in GROUPS)
    assert "dead letters" in shown
