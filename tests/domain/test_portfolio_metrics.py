"""Metrics are sums of money; violations name the limits that the present breaks."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.market.instruments import Side
from domain.portfolio.concentration import ranked
from domain.portfolio.metrics import PortfolioMetrics, metrics
from domain.portfolio.protection import initial_state
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.portfolio.state import PortfolioState
from domain.portfolio.violations import violations
from domain.rules import TradingRules
from domain.trading.decisions import DenialReason
from domain.trading.orders import ExitReason
from domain.trading.transfers import Transfer
from tests.domain.builders import (
    CANDLE_MS,
    NOON_MS,
    RULES,
    changed,
    dec,
    entry,
    fill,
    funding,
    position,
)

START = Decimal(10_000)
NAMES = tuple(asset.asset for asset in RULES.assets)
OFF: dict[str, Any] = {
    "max_position_size": None,
    "max_correlated_exposure": None,
    "max_concentration": None,
    "max_total_exposure": Decimal(1000),
    "max_positions": 10,
    "correlation_limit": None,
}
FREE = changed(approval=OFF, protection={"capital_loss_fraction": None})


def books(rules: TradingRules = FREE) -> PortfolioState:
    return PortfolioState(rules, initial_state(START, NOON_MS), START)


def held(**sides: tuple[Side, object, object]) -> dict[str, Any]:
    return {name: position(name, *of) for name, of in sides.items()}


def limited(**approval: Any) -> TradingRules:
    return changed(FREE, approval=approval)


def broken(found: PortfolioSnapshot, rules: TradingRules) -> list[tuple[str, str]]:
    return [(str(each.limit), each.about) for each in violations(found, rules)]


def snapshot(rules: TradingRules = FREE, **fields: Any) -> PortfolioSnapshot:
    found = replace(books(rules).snapshot(), **fields)
    exposure = sum((one.notional for one in found.positions.values()), Decimal(0))
    return replace(found, exposure=exposure)


# Metrics.

MOVES = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(Side),
        st.integers(1, 9),
        st.integers(50, 150),
        st.integers(-3, 3),
    ),
    max_size=12,
)


def traded(moves: list[tuple[str, Side, int, int, int]]) -> PortfolioState:
    state = books()
    for number, (asset, side, qty, price, paid) in enumerate(moves):
        t_ms = NOON_MS + number * CANDLE_MS
        state.book(fill(side, qty, price, asset=asset, ts_ms=t_ms, fee="0.5", decided_ms=t_ms))
        state.book(funding(paid, asset=asset, ts_ms=t_ms))
        state.remember_price(asset, dec(price + paid))
    return state


@given(MOVES, st.integers(-500, 500))
def test_equity_is_always_what_was_paid_in_and_what_was_made(
    moves: list[tuple[str, Side, int, int, int]], moved: int
) -> None:
    state = traded(moves)
    state.apply_transfer(
        Transfer(transfer_id="x", ts_ms=NOON_MS, kind="TRANSFER_IN", amount=Decimal(moved))
    )

    found = metrics(state.snapshot(), FREE)

    assert abs(found.equity - (START + moved + found.total_pnl)) < Decimal("1e-15")
    assert found.total_return is not None
    assert abs(found.total_return - found.total_pnl / (START + moved)) < Decimal("1e-15")


@given(MOVES)
def test_the_pairs_always_sum_to_the_portfolio(
    moves: list[tuple[str, Side, int, int, int]],
) -> None:
    found = metrics(traded(moves).snapshot(), FREE)

    def over_pairs(name: str) -> Any:
        return sum((getattr(pair, name) for pair in found.pairs.values()), Decimal(0))

    for name in (
        "realized_pnl",
        "unrealized_pnl",
        "total_pnl",
        "deployed_capital",
        "active_positions",
        "closed_positions",
    ):
        assert abs(over_pairs(name) - getattr(found, name)) < Decimal("1e-15"), name
    if abs(found.total_pnl) > Decimal("1e-9"):
        assert abs(over_pairs("contribution") - 1) < Decimal("1e-9")


def by_hand() -> PortfolioMetrics:
    state = books()
    state.book(entry("BTC", 10, 100, fee=1))
    state.book(fill(Side.BUY, 10, 90, reason=ExitReason.TAKE_PROFIT, fee=1))
    state.book(entry("ETH", 20, 100, side=Side.BUY, fee=2))
    state.remember_price("ETH", Decimal(95))
    return metrics(state.snapshot(), FREE)


def test_the_metrics_are_what_a_hand_calculation_gives() -> None:
    found = by_hand()
    leverage = FREE.asset("ETH").leverage

    assert (found.realized_pnl, found.unrealized_pnl) == (Decimal(96), Decimal(-100))
    assert found.total_pnl == Decimal(-4)
    assert found.total_return == Decimal("-0.0004")
    assert found.equity == found.total_capital == Decimal(9_996)
    assert found.deployed_capital == 2000 / leverage
    assert found.available_capital == Decimal(10_096) - 2000 / leverage
    assert found.concentration == 2000 / leverage / 9_996
    assert (found.active_positions, found.closed_positions, found.win_rate) == (1, 1, 1)
    assert found.pairs["BTC"].contribution == Decimal(98) / -4
    assert found.pairs["ETH"].win_rate is None
    assert found.pairs["ETH"].side is Side.BUY


def test_capital_set_aside_is_what_is_total_and_available() -> None:
    rules = replace(FREE, total_capital=Decimal(4_000))
    state = books(rules)
    state.book(entry("BTC", 10, 100, fee=1))

    found = metrics(state.snapshot(), rules)

    assert found.total_capital == Decimal(4_000)
    assert found.available_capital == Decimal(3_999) - found.deployed_capital


# Concentration.


@given(st.dictionaries(st.sampled_from(NAMES), st.integers(1, 1000), min_size=1))
def test_the_ranking_always_falls_and_ends_with_the_whole(amounts: dict[str, int]) -> None:
    positions = {name: position(name, Side.BUY, qty, 7) for name, qty in amounts.items()}

    found = list(ranked(positions, START, FREE))

    assert [one.deployed for one in found] == sorted((o.deployed for o in found), reverse=True)
    assert found[-1].cumulative == 1
    assert {one.asset for one in found} == amounts.keys()


# Violations.


def test_an_empty_portfolio_breaks_no_limit_of_the_settings() -> None:
    assert violations(snapshot(RULES), RULES) == []


def test_each_limit_that_is_broken_is_named_with_its_figures() -> None:
    positions = held(BTC=(Side.SELL, 90, 100), ETH=(Side.SELL, 10, 100))
    found = snapshot(positions=positions, correlations={("BTC", "ETH"): 0.9, ("ETH", "BTC"): 0.9})
    leverage = FREE.asset("BTC").leverage
    tight = {
        "max_positions": 1,
        "correlation_limit": 0.8,
        "max_position_size": Decimal("0.89") / leverage,
        "max_correlated_exposure": Decimal("0.99"),
        "correlation_group_threshold": 0.8,
        "max_concentration": Decimal("0.05"),
        "max_total_exposure": Decimal("0.99"),
    }

    assert broken(found, limited(**tight)) == [
        ("MAX_POSITIONS", ""),
        ("CORRELATION", "BTC with ETH"),
        ("POSITION_SIZE", "BTC"),
        ("GROUP", "with BTC"),
        ("CONCENTRATION", "with BTC"),
        ("GROUP", "with ETH"),
        ("CONCENTRATION", "with ETH"),
        ("EXPOSURE", ""),
    ]
    (size,) = violations(found, limited(max_position_size=Decimal("0.89") / leverage))
    assert (size.now, size.allowed) == (9000 / leverage, START * Decimal("0.89") / leverage)


def test_a_figure_that_equals_its_limit_breaks_none() -> None:
    found = snapshot(positions=held(BTC=(Side.SELL, 100, 100)))
    leverage = FREE.asset("BTC").leverage
    rules = limited(
        max_positions=1,
        max_position_size=1 / leverage,
        max_correlated_exposure=Decimal(1),
        max_total_exposure=Decimal(1),
    )

    assert violations(found, rules) == []


def test_a_hedge_is_neither_a_correlation_nor_a_group() -> None:
    positions = held(BTC=(Side.SELL, 60, 100), ETH=(Side.BUY, 60, 100))
    pairs = {("BTC", "ETH"): 0.9, ("ETH", "BTC"): 0.9}
    rules = limited(
        correlation_limit=0.8,
        max_correlated_exposure=Decimal(1),
        correlation_group_threshold=0.8,
    )

    assert broken(snapshot(positions=positions, correlations=pairs), rules) == []
    opposed = dict.fromkeys(pairs, -0.9)
    assert (str(DenialReason.CORRELATION), "BTC with ETH") in broken(
        snapshot(positions=positions, correlations=opposed), rules
    )


def test_a_named_group_is_judged_once() -> None:
    positions = held(BTC=(Side.SELL, 60, 100), ETH=(Side.SELL, 60, 100))
    rules = limited(max_correlated_exposure=Decimal(1))
    named = replace(
        rules, assets=tuple(replace(one, correlation_group="majors") for one in rules.assets)
    )

    assert broken(snapshot(positions=positions), named) == [("GROUP", "majors")]


def test_a_lost_part_of_the_capital_is_a_violation_from_its_very_limit_on() -> None:
    rules = changed(FREE, protection={"capital_loss_fraction": Decimal("0.1")})

    assert broken(snapshot(equity=Decimal("9000.01")), rules) == []
    assert broken(snapshot(equity=Decimal(9000)), rules) == [("CAPITAL_LOSS", "")]
