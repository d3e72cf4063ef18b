"""`twinstream init`: what it writes, and what it says is next."""

from pathlib import Path

import pytest

from twinstream import packages
from twinstream.init import init, project

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "sign-ins"


def test_the_example_is_what_it_writes() -> None:
    written = project("shop")
    assert {name: (EXAMPLE / name).read_text() for name in written} == written


@pytest.mark.parametrize("checkout", [True, False])
def test_what_is_typed_next_gets_the_engine_from_where_this_one_is(
    checkout: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(packages, "_CHECKOUT", checkout)
    init("shop")
    engine = f" TWINSTREAM={packages.ROOT}" if checkout else ""
    assert capsys.readouterr().out == f"Written: shop/. Next: cd shop && make test{engine}\n"
    assert '"$(TWINSTREAM)"' in (tmp_path / "shop" / "Makefile").read_text()
