"""Every limit is shown with its present figure, or with why there is none."""

from dataclasses import replace
from decimal import Decimal

from actors.operator.risk_view import Present, limits
from domain.market.instruments import MINUTE_MS, Side
from domain.portfolio.snapshots import AssetSnapshot
from tests.domain.builders import NOON_MS, RULES, changed, report, with_trend
from tests.operator.health.made import PORTFOLIO, POSITION

HELD = {
    "BTC": replace(POSITION, opened_ms=NOON_MS),
    "ETH": replace(POSITION, asset="ETH", open_notional=Decimal(1000)),
}
NOTHING = Present(
    now_ms=NOON_MS,
    portfolio=replace(PORTFOLIO, positions={}),
    assets=dict.fromkeys(("BTC", "ETH", "SOL")),
    trades=(),
    approved=None,
    health={},
)


def now_of(present: Present, rules=RULES) -> dict[str, str]:
    return {name: now for name, now, _ in limits(present, rules)}


def test_a_limit_without_a_figure_says_why() -> None:
    found = now_of(NOTHING)

    assert not [name for name, now in found.items() if now in {"", "?", "-"}]
    assert found["correlation of an entry"] == found["BTC margin"] == "nothing open"
    assert found["entries at a close"] == "no close yet"
    assert found["BTC newest signal"] == "no answer"
    assert found["BTC data"] == found["positions without a stop"] == "not checked yet"


def test_what_is_open_is_shown_as_its_share_of_each_limit() -> None:
    pairs = {("BTC", "ETH"): 0.9, ("ETH", "BTC"): 0.9, ("SOL", "BTC"): 0.95, ("SOL", "ETH"): None}
    held = replace(PORTFOLIO, positions=HELD, correlations=pairs)
    rules = changed(approval={"correlation_group_threshold": 0.8})

    found = now_of(replace(NOTHING, portfolio=held, approved=1), rules)

    assert found["entries at a close"] == "1"
    assert found["correlation of an entry"] == "0.95 (SOL with BTC)"
    assert found["exposure of a group"] == "90.0% (with BTC)"
    leverage = RULES.asset("BTC").leverage
    assert found["BTC margin"] == f"{Decimal(80) / leverage:.1f}% of the balance"
    assert found["SOL margin"] == "nothing open"


def test_the_ages_of_the_newest_close_and_signal_stand_beside_their_limits() -> None:
    btc = AssetSnapshot(
        asset="BTC",
        report=report("BTC", 100.0),
        position=HELD["BTC"],
        closes_seen=700,
        cooldown_minutes=0,
        cooldown_reason="",
        loss_streak=0,
        newest_signal_ms=NOON_MS,
    )
    present = replace(NOTHING, now_ms=NOON_MS + 12 * MINUTE_MS, assets={"BTC": btc})

    found = {name: (now, limit) for name, now, limit in limits(present, RULES)}

    assert found["BTC newest close"] == ("12m", "30.0s to enter")
    assert found["BTC newest signal"] == ("12m", "fresh enough to enter")
    assert found["BTC held"][0] == "12m"


def test_correlations_and_groups_are_signed_by_the_sides() -> None:
    hedge = {"BTC": HELD["BTC"], "ETH": replace(HELD["ETH"], side=Side.BUY)}
    pairs = {("BTC", "ETH"): 0.9, ("ETH", "BTC"): 0.9, ("SOL", "BTC"): 0.5}
    held = replace(PORTFOLIO, positions=hedge, correlations=pairs)
    rules = changed(approval={"correlation_group_threshold": 0.8})

    found = now_of(replace(NOTHING, portfolio=held), rules)

    assert found["correlation of an entry"] == "0.50 (SOL with BTC)"
    assert found["exposure of a group"] == "80.0% (with BTC)"


def test_an_asset_that_is_flat_has_the_side_of_its_strategy() -> None:
    pairs = {("SOL", "BTC"): 0.95}
    held = replace(PORTFOLIO, positions={"BTC": HELD["BTC"]}, correlations=pairs)

    assert now_of(replace(NOTHING, portfolio=held))["correlation of an entry"].startswith("0.95")
    found = now_of(replace(NOTHING, portfolio=held), with_trend("SOL"))
    assert found["correlation of an entry"] == "-0.95 (SOL with BTC)"


def test_each_named_group_the_size_of_entries_and_the_lost_capital_have_their_rows() -> None:
    named = replace(
        RULES, assets=tuple(replace(one, correlation_group="majors") for one in RULES.assets)
    )
    rules = changed(
        named,
        approval={
            "max_position_size": Decimal("0.3"),
            "max_correlated_exposure": Decimal(1),
            "max_concentration": Decimal("0.5"),
            "concentration_top_n": 1,
        },
        protection={
            "capital_loss_fraction": Decimal("0.1"),
            "drawdown_steps": ((Decimal("0.1"), Decimal("0.5")),),
            "high_correlation_size_level": 0.6,
            "high_correlation_size_multiplier": Decimal("0.7"),
        },
    )
    held = replace(
        PORTFOLIO,
        positions=HELD,
        equity=Decimal(9_500),
        entry_capital=Decimal(10_000),
        size_multiplier=Decimal("0.5"),
    )
    leverage = RULES.asset("BTC").leverage

    found = {name: row for name, *row in limits(replace(NOTHING, portfolio=held), rules)}

    assert found["exposure of group majors"] == ["90.0%", "100.0%"]
    deployed = f"{Decimal(80) / leverage:.1f}%"
    assert found["concentration of majors"] == [deployed, "50.0%"]
    assert found["position size"] == [f"{deployed} (BTC)", "30.0%"]
    assert found["capital loss"] == ["5.0% of 10,000.00 USDT", "10.0%"]
    assert found["size of entries"] == [
        "50%",
        "50% from drawdown 10%, 70% above mean correlation 0.6",
    ]
    assert found["drift from the target"][0] == "no close yet"
