"""The settings of `examples/` are right, and are what they say they are."""

from collections import Counter
from pathlib import Path

import pytest

from infra.settings import load_settings

EXAMPLES = Path(__file__).parents[2] / "examples"


def rules(name: str):
    return load_settings(EXAMPLES / name, environ={}, dotenv=None).trading_rules()


def strategies(name: str) -> list[str]:
    return [asset.terms.strategy.name for asset in rules(name).assets]


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_each_example_is_accepted(file):
    assert rules(file.name).assets


def test_the_multi_pair_profile_has_twelve_long_pairs_in_groups_with_its_limits():
    found = rules("multi_pair.yaml")

    assert strategies("multi_pair.yaml") == ["confirmed_trend_long"] * 12
    groups = Counter(asset.correlation_group for asset in found.assets)
    assert None not in groups
    assert max(groups.values()) > 1
    assert str(found.approval.max_position_size) == "0.05"
    assert str(found.approval.max_correlated_exposure) == "0.20"
    assert str(found.protection.capital_loss_fraction) == "0.10"
    assert found.approval.max_positions == 10
    for asset in found.assets:
        assert (str(asset.allocation_fraction), str(asset.leverage)) == ("0.05", "1")
        assert str(asset.terms.stops.trail_fraction) == "0.02"


def test_the_mixed_profile_has_three_shorts_and_nine_longs():
    assert strategies("mixed.yaml") == ["ema_cross_short"] * 3 + ["confirmed_trend_long"] * 9


def test_both_profiles_trade_the_same_instruments():
    one, other = (
        [asset.instrument for asset in rules(f"{name}.yaml").assets]
        for name in ("multi_pair", "mixed")
    )

    assert one == other
