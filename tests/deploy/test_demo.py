"""What the demo shows."""

from pathlib import Path

import pytest

from deploy.demo import SHOWN, SHOWN_OF_OTHERS, for_a_person, main
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


def test_it_shows_the_groups_that_features_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "carts.py").write_text(
        "from features import clickstream_features\n"
        "from twinstream import FeatureGroup\n"
        "given = 'version topic entity time id wire_type event_type decode window families'.split()\n"
        "carts = FeatureGroup(name='cart', **{name: getattr(clickstream_features, name) for name in given})\n"
        "__all__ = ['carts']\n"
    )
    monkeypatch.setenv("FEATURES", str(tmp_path / "carts.py"))
    assert main(in_process=True) == 0
    shown = capsys.readouterr().out
    assert "features:cart:" in shown
    assert all(f"{name}=" in shown for name in GROUPS["clickstream"].names[:SHOWN_OF_OTHERS])
    assert "features:transaction:" not in shown


def test_definitions_that_read_none_of_its_topics_are_told_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FEATURES", "examples/sign-ins/shop/features.py")
    assert main(in_process=True) == 2
    assert "no group of shop.features reads one of them. Unset FEATURES." in capsys.readouterr().err
