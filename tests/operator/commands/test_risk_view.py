"""Every limit is shown with its present figure, or with why there is none."""

from dataclasses import replace
from decimal import Decimal

from actors.operator.risk_view import Present, limits
from domain.market.instruments import MINUTE_MS
from domain.portfolio.snapshots import AssetSnapshot
from tests.domain.builders import NOON_MS, RULES, changed, report
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
    assert found["BTC data"] == found["positions without a stop"] == "not looked yet"


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
    assert found["BTC newest signal"] == ("12m", "young enough to enter")
    assert found["BTC held"][0] == "12m"
