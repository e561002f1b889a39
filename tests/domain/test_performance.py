"""Figures of all facts: the rolling ones are those of a backtest's report."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.backtesting.course import rolling
from domain.backtesting.figures import daily_returns
from domain.backtesting.result import EquitySeries
from domain.market.instruments import DAY_MS, HOUR_MS, Side
from domain.portfolio.performance import (
    DAYS,
    Fill,
    PerformanceBooks,
    diversification,
    excursion,
    risk_shares,
)
from domain.trading.orders import ExitReason
from domain.trading.positions import Trade

T0_MS = 20_000 * DAY_MS
TRADE = Trade(
    asset="BTC",
    side=Side.SELL,
    entry_ms=T0_MS + HOUR_MS,
    exit_ms=T0_MS + 3 * HOUR_MS,
    qty=Decimal(1),
    entry_price=Decimal(100),
    exit_price=Decimal(98),
    fees=Decimal("0.1"),
    funding=Decimal(0),
    pnl=Decimal("1.9"),
    reason=ExitReason.TAKE_PROFIT,
    decided_ms=None,
)
EQUITY = st.lists(st.floats(5_000, 20_000), min_size=DAYS + 1, max_size=DAYS + 12)


@given(EQUITY)
def test_the_rolling_figures_are_those_of_a_backtest_s_report(levels: list[float]) -> None:
    books = PerformanceBooks()
    time_ms = T0_MS + np.arange(1, len(levels) + 1) * DAY_MS
    for t_ms, level in zip(time_ms.tolist(), levels, strict=True):
        books.add_equity(t_ms - HOUR_MS, 1.0)
        books.add_equity(t_ms, level)
    series = EquitySeries(time_ms=time_ms, balance=np.array(levels), equity=np.array(levels))

    expected = rolling(series, daily_returns(series, levels[0]), DAYS)
    found = books.performances().total

    assert found.volatility == pytest.approx(expected.volatility[-1], abs=1e-9)
    if found.sharpe is not None:
        assert found.sharpe == pytest.approx(expected.sharpe[-1], abs=1e-9)


def test_money_that_was_paid_in_is_no_return() -> None:
    plain, paid = PerformanceBooks(), PerformanceBooks()
    for day, level in enumerate((1000.0, 1010.0, 1005.0)):
        plain.add_equity(T0_MS + (day + 1) * DAY_MS, level)
        paid.add_equity(T0_MS + (day + 1) * DAY_MS, level + 500.0 * (day == 2))
    paid.add_transfer(T0_MS + 2 * DAY_MS + HOUR_MS, 500.0)

    assert paid.performances().total.sharpe == plain.performances().total.sharpe is not None


def test_one_trade_has_hold_win_rate_mae_and_mfe_and_no_second_day() -> None:
    books = PerformanceBooks()
    books.add_trade(TRADE, (97.5, 101.0))

    found = books.performances()

    assert found.assets["BTC"] == found.total
    assert (found.total.trades, found.total.wins, found.total.pnl) == (1, 1, TRADE.pnl)
    assert found.total.average_hold_ms == 2 * HOUR_MS
    assert found.total.adverse == pytest.approx(0.01)
    assert found.total.favorable == pytest.approx(0.025)
    assert found.total.sharpe is found.total.volatility is found.total.risk_share is None


def test_a_long_trade_s_adverse_way_is_down() -> None:
    bought = replace(TRADE, side=Side.BUY, exit_price=Decimal("100.5"))

    assert excursion(bought, 97.0, 101.0) == pytest.approx((0.03, 0.01))
    assert excursion(bought, 100.4, 101.0) == pytest.approx((0.0, 0.01))


def test_the_price_of_the_exit_counts_beside_the_candles() -> None:
    assert excursion(TRADE, 99.0, 101.0) == pytest.approx((0.01, 0.02))


@pytest.mark.parametrize(("side", "expected"), [(Side.BUY, 10.0), (Side.SELL, -10.0)])
def test_a_fill_costs_what_it_is_worse_than_the_close(side: Side, expected: float) -> None:
    books = PerformanceBooks()
    books.add_fill(
        Fill(
            asset="BTC",
            side=side,
            notional=Decimal("100.1"),
            fee=Decimal("0.055"),
            decided_at=Decimal(100),
        )
    )
    books.add_fill(
        Fill(asset="BTC", side=side, notional=Decimal(100), fee=Decimal(0), decided_at=None)
    )

    found = books.performances().assets["BTC"]

    assert found.slippage_bps == pytest.approx(expected)
    assert found.fee_bps == pytest.approx(0.055 / 200.1 * 10_000)


PNL = st.lists(st.floats(-100, 100), min_size=3, max_size=3).map(np.array)


@given(st.dictionaries(st.sampled_from(["BTC", "ETH", "SOL"]), PNL, min_size=1))
def test_risk_shares_add_up_to_one_and_nothing_is_less_diversified_than_one_asset(
    booked: dict[str, np.ndarray],
) -> None:
    shares, benefit = risk_shares(booked), diversification(booked.values())

    assert not shares or sum(shares.values()) == pytest.approx(1.0, abs=1e-6)
    assert benefit is None or -1e-9 <= benefit <= 1.0
