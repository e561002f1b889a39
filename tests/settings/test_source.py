"""Values put over the files, as sweeps do."""

import pytest

from domain.errors import ConfigError
from infra.settings import SettingsSource, load_settings


@pytest.fixture(scope="module")
def source():
    return SettingsSource(None, environ={}, dotenv=None)


def test_values_go_over_everything_and_only_there(source):
    changed = source.settings(
        {
            "strategy.ema_short_period": "120",
            "risk.drawdown_levels[0]": "0.09",
            "portfolio.assets[*].leverage": "5",
            "portfolio.assets[1].allocation_pct": "0.01",
            "portfolio.max_positions": "null",
        },
        source="--sweep",
    )
    plain = load_settings(None, environ={}, dotenv=None)

    assert changed.strategy.ema_short_period == 120
    assert [str(level) for level in changed.risk.drawdown_levels] == ["0.09", "0.15"]
    assert [str(asset.leverage) for asset in changed.portfolio.assets] == ["5"] * 3
    assert [str(a.allocation_pct) for a in changed.portfolio.assets] == ["0.07", "0.01", "0.07"]
    assert source.settings() == plain


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("strategy.ema_short", "3", "unknown key; did you mean ema_short_period?"),
        ("nothing.here", "3", "unknown key; allowed here: "),
        ("portfolio.assets[7].leverage", "3", "unknown key"),
        ("strategy.ema_short_period", "x", "found x; allowed: a whole number"),
        ("strategy.ema_short_period", "900", "found 900; allowed: below strategy.ema_long_period"),
        ("strategy", "3", "found 3; allowed: a mapping"),
    ],
)
def test_a_wrong_value_is_told_by_its_key_and_source(source, key, value, told):
    with pytest.raises(ConfigError) as caught:
        source.settings({key: value}, source="--sweep")

    line = str(caught.value).splitlines()[1]
    assert line.startswith(f"--sweep: {key}: ")
    assert told in line
