"""Figures against empyrical-reloaded's on the same series, and against hand-made numbers."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from domain.backtesting.figures import (
    backtest_figures,
    daily_returns,
    growth_a_year,
    max_drawdown,
    sortino_ratio,
)
from domain.backtesting.market import Market
from domain.backtesting.result import EquitySeries
from domain.backtesting.run import run_backtest
from domain.market.instruments import DAY_MS
from domain.market.ratios import sharpe_ratio
from tests.backtesting.library_figures import LIBRARY_FIGURES, LibraryFigures, daily_walk
from tests.backtesting.markets import Recipe, lively_rules, random_market


def series(equity: list[float], step_ms: int = DAY_MS, first_ms: int = DAY_MS) -> EquitySeries:
    levels = np.array(equity)
    return EquitySeries(
        time_ms=first_ms + step_ms * np.arange(len(levels)), balance=levels, equity=levels
    )


@pytest.mark.parametrize("known", LIBRARY_FIGURES, ids=lambda known: f"{known.days}-days")
def test_ratios_are_those_of_the_library(known: LibraryFigures) -> None:
    walk = daily_walk(known)
    equity = series((10_000.0 * np.cumprod(1.0 + walk)).tolist())

    returns = daily_returns(equity, 10_000.0)
    fall = max_drawdown(equity, 10_000.0, 0)

    np.testing.assert_allclose(returns, walk, rtol=1e-9, atol=1e-12)
    assert sharpe_ratio(returns) == pytest.approx(known.sharpe, rel=1e-9)
    assert sortino_ratio(returns) == pytest.approx(known.sortino, rel=1e-9)
    assert fall.fraction == pytest.approx(-known.max_drawdown, rel=1e-9)


@pytest.mark.parametrize("known", LIBRARY_FIGURES, ids=lambda known: f"{known.days}-days")
def test_growth_and_calmar_are_those_of_the_library(known: LibraryFigures) -> None:
    total = float(np.prod(1.0 + daily_walk(known)))

    found = growth_a_year(total, known.days * DAY_MS)

    assert found == pytest.approx(known.cagr, rel=1e-9)
    assert found / -known.max_drawdown == pytest.approx(known.calmar, rel=1e-9)


def test_less_than_thirty_days_have_no_growth_a_year() -> None:
    assert growth_a_year(1.01, 30 * DAY_MS - 1) is None
    assert growth_a_year(1.01, 30 * DAY_MS) == pytest.approx(1.01 ** (365 / 30) - 1)


def test_drawdown_runs_from_the_last_peak_to_the_deepest_point() -> None:
    equity = series([100.0, 120.0, 90.0, 120.0, 110.0, 84.0, 119.0])

    fall = max_drawdown(equity, 100.0, 0)

    assert (fall.fraction, fall.start_ms, fall.end_ms) == (0.3, 4 * DAY_MS, 6 * DAY_MS)


def test_a_loss_from_the_very_start_counts_from_the_starting_balance() -> None:
    fall = max_drawdown(series([90.0, 95.0]), 100.0, 7)

    assert (fall.fraction, fall.start_ms, fall.end_ms) == (0.1, 7, DAY_MS)


def test_equity_that_never_falls_has_no_drawdown() -> None:
    fall = max_drawdown(series([100.0, 101.0]), 100.0, 0)

    assert (fall.fraction, fall.start_ms, fall.end_ms) == (0.0, None, None)


def test_days_end_at_midnight_and_the_last_one_where_the_candles_end() -> None:
    equity = series([100.0, 110.0, 99.0, 198.0], step_ms=DAY_MS // 2, first_ms=DAY_MS // 2)

    assert daily_returns(equity, 100.0).tolist() == pytest.approx([0.1, 0.8])
    equity = series([100.0, 110.0, 99.0], step_ms=DAY_MS // 2, first_ms=DAY_MS // 2)
    assert daily_returns(equity, 100.0).tolist() == pytest.approx([0.1, -0.1])


def test_ratios_are_none_where_nothing_varies() -> None:
    assert sharpe_ratio(np.zeros(10)) is None
    assert sharpe_ratio(np.array([0.1])) is None
    assert sortino_ratio(np.full(10, 0.01)) is None


def test_figures_of_a_run_add_up() -> None:
    market = Market(random_market(Recipe(seed=5, candles=900, volatility=0.004)))

    result = run_backtest(market, lively_rules())
    found = backtest_figures(result)

    pnl = sum((trade.pnl for trade in result.trades), Decimal(0))
    open_cash = sum((one.funding - one.fees for one in result.open_positions), Decimal(0))
    assert found.total.trades == len(result.trades) > 10
    assert found.final_balance == pytest.approx(float(10_000 + pnl + open_cash))
    assert found.total.pnl == pytest.approx(float(pnl))
    assert found.total.expectancy == pytest.approx(float(pnl) / len(result.trades))
    for name in ("trades", "wins", "pnl", "fees", "funding"):
        parts = sum(getattr(mine, name) for mine in found.per_asset.values())
        assert getattr(found.total, name) == pytest.approx(parts)
    held = np.zeros(market.closes + 1, dtype=bool)
    for one in (*result.trades, *result.open_positions):
        begin = getattr(one, "entry_ms", None) or one.opened_ms
        end = getattr(one, "exit_ms", market.time_ms(market.closes - 1))
        held[market.first_close_from(begin) + 1 : market.first_close_from(end) + 1] = True
    assert found.exposure_time == pytest.approx(held.sum() / market.closes)


def test_what_lies_before_the_time_from_which_a_result_counts_is_no_part_of_its_figures() -> None:
    market = Market(random_market(Recipe(seed=5, candles=900, volatility=0.004)))
    result = run_backtest(market, lively_rules())
    half_ms = market.time_ms(market.closes // 2)

    late = replace(result, counts_from_ms=half_ms)

    assert backtest_figures(late) == backtest_figures(result, half_ms)
    assert backtest_figures(late).exposure_time != backtest_figures(result).exposure_time
    assert (result.begin_ms, late.begin_ms) == (market.first_open_ms, half_ms)
