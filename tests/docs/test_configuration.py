"""The configuration reference is that of the program."""

from pathlib import Path

import pytest

from infra.settings.reference import entries, page
from infra.settings.sections.whole import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def test_the_page_is_what_the_settings_fields_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "bin/docs configuration writes it anew"


@pytest.mark.parametrize("section", list(Settings.model_fields))
def test_every_setting_has_a_range_a_default_and_a_meaning(section: str) -> None:
    found = entries(section)

    assert [one.key for one in found if not (one.allowed and one.default and one.meaning)] == []
    assert len(found) == len({one.key for one in found})


def test_a_setting_shows_its_unit_its_range_and_where_null_is_allowed() -> None:
    (patience,) = entries("start")
    capital = next(one for one in entries("portfolio") if one.key == "portfolio.total_capital")

    assert (patience.unit, patience.default, patience.allowed) == ("seconds", "`900`", "5 to 86400")
    assert (capital.unit, capital.default) == ("USDT", "`null`")
    assert capital.allowed == "1 to 1000000000000, or null"
