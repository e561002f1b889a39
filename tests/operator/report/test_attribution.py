"""Where a result came from, held against the plain way to compute it."""

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from domain.backtesting.attribution import (
    daily_pnl,
    monthly_returns,
    pair_correlations,
    regime_spans,
    risk_shares,
)
from domain.backtesting.market import Market
from domain.backtesting.result import BacktestResult, EquitySeries
from domain.backtesting.run import run_backtest
from domain.market.instruments import DAY_MS
from domain.strategies.base import Regime
from tests.backtesting.markets import Recipe, lively_rules, random_market


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    recipe = Recipe(seed=5, candles=3_000, jumps=0.01)
    return run_backtest(Market(random_market(recipe)), lively_rules())


def series(days: list[tuple[str, float]]) -> EquitySeries:
    time_ms = np.array(
        [int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000) for day, _ in days]
    )
    equity = np.array([value for _, value in days])
    return EquitySeries(time_ms=time_ms, balance=equity, equity=equity)


def test_a_month_ends_with_the_midnight_that_ends_it() -> None:
    found = monthly_returns(
        series(
            [
                ("2025-01-30", 100.0),
                ("2025-01-31", 110.0),
                ("2025-02-01", 120.0),
                ("2025-02-02", 60.0),
                ("2025-03-01", 90.0),
            ]
        ),
        100.0,
    )

    assert [(month.year, month.month) for month in found] == [(2025, 1), (2025, 2)]
    assert [month.fraction for month in found] == pytest.approx([0.2, -0.25])


def test_months_compound_to_the_total_return(result: BacktestResult) -> None:
    grown = np.prod(
        [1 + month.fraction for month in monthly_returns(result.equity, result.initial_balance)]
    )

    assert grown == pytest.approx(result.equity.equity[-1] / result.initial_balance)


def test_regimes_cover_every_close_once_and_agree_with_the_signals(result: BacktestResult) -> None:
    for asset, history in result.histories.items():
        spans, market = regime_spans(result, asset), result.market.assets[asset]
        first_ms = int(market.series.open_time_ms[0]) + market.series.candle_ms
        assert spans[0].begin_ms == first_ms
        assert spans[-1].end_ms == first_ms + len(market.series) * market.series.candle_ms
        assert all(a.end_ms == b.begin_ms for a, b in pairwise(spans))
        for span in spans:
            index = (span.begin_ms - first_ms) // market.series.candle_ms
            if span.regime is not Regime.COOLDOWN:
                assert history.is_active[index] == (span.regime is Regime.ACTIVE)
        assert {span.regime for span in spans} == set(Regime)


def test_shares_of_risk_add_up_to_one(result: BacktestResult) -> None:
    shares = risk_shares(result)

    assert sum(share.fraction or 0.0 for share in shares) == pytest.approx(1.0)
    assert all(share.volatility > 0 for share in shares)


def test_days_hold_the_pnl_of_all_trades(result: BacktestResult) -> None:
    days_ms, booked = daily_pnl(result)

    for asset, pnl in booked.items():
        mine = [trade for trade in result.trades if trade.asset == asset]
        assert pnl.sum() == pytest.approx(float(sum(trade.pnl for trade in mine)))
        for day_ms, value in zip(days_ms, pnl, strict=True):
            same_day = [trade.pnl for trade in mine if day_ms <= trade.exit_ms < day_ms + DAY_MS]
            assert value == pytest.approx(float(sum(same_day)))


def test_correlations_are_those_of_the_window_before_each_midnight(result: BacktestResult) -> None:
    window = result.rules.candles.volatility_window
    pairs = pair_correlations(result)

    assert [pair.assets for pair in pairs] == [("BTC", "ETH"), ("BTC", "SOL"), ("ETH", "SOL")]
    for pair in pairs:
        assert len(pair.time_ms) >= 5
        for time_ms, value in zip(pair.time_ms, pair.correlation, strict=True):
            assert time_ms % DAY_MS == 0
            x, y = (
                closes_until(result, asset, int(time_ms))[-window - 1 :] for asset in pair.assets
            )
            assert value == pytest.approx(np.corrcoef(np.diff(np.log(x)), np.diff(np.log(y)))[0, 1])


def closes_until(result: BacktestResult, asset: str, time_ms: int) -> np.ndarray:
    candles = result.market.assets[asset].series
    return candles.close[candles.open_time_ms + candles.candle_ms <= time_ms]
