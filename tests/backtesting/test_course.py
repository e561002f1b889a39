"""Falls, rolling figures, benchmarks, exposure and rests, held against the plain way."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.backtesting.course import (
    Fall,
    benchmark,
    exposure,
    halted_fraction,
    rests,
    rolling,
    warm_ms,
    worst_falls,
)
from domain.backtesting.figures import daily_returns, max_drawdown
from domain.backtesting.market import Market
from domain.backtesting.result import BacktestResult, EquitySeries
from domain.backtesting.run import run_backtest
from domain.backtesting.trade_stats import excursions, trade_stats
from domain.market.instruments import DAY_MS, Side
from domain.market.ratios import sharpe_ratio
from domain.trading.orders import ExitReason
from tests.backtesting.markets import Recipe, lively_rules, random_market

START_MS = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    recipe = Recipe(seed=5, candles=3_000, jumps=0.01)
    return run_backtest(Market(random_market(recipe)), lively_rules())


def equity_of(values: list[float], step_ms: int = DAY_MS) -> EquitySeries:
    levels = np.array(values, dtype=np.float64)
    times = START_MS + step_ms * np.arange(1, len(values) + 1, dtype=np.int64)
    return EquitySeries(time_ms=times, balance=levels, equity=levels)


def day(number: int) -> int:
    return START_MS + number * DAY_MS


def test_a_fall_lasts_from_its_peak_until_that_is_reached_again() -> None:
    found = worst_falls(equity_of([110, 99, 110, 120, 60, 90]), 100.0, START_MS, 5)

    assert found == [
        Fall(fraction=0.5, peak_ms=day(4), deepest_ms=day(5), recovered_ms=None),
        Fall(fraction=pytest.approx(0.1), peak_ms=day(1), deepest_ms=day(2), recovered_ms=day(3)),
    ]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(1, 6))
def test_falls_are_apart_the_worst_first_and_the_first_is_the_maximum_drawdown(
    values: list[int], count: int
) -> None:
    equity = equity_of([float(value) for value in values])
    found = worst_falls(equity, 25.0, START_MS, count)

    assert len(found) <= count
    assert [fall.fraction for fall in found] == sorted((f.fraction for f in found), reverse=True)
    deepest = max_drawdown(equity, 25.0, START_MS)
    assert (found[0].fraction if found else 0.0) == pytest.approx(deepest.fraction)
    in_time = sorted(found, key=lambda fall: fall.peak_ms)
    for before, after in pairwise(in_time):
        assert before.recovered_ms is not None
        assert before.recovered_ms <= after.peak_ms
    for fall in found:
        assert fall.peak_ms < fall.deepest_ms
        assert fall.recovered_ms is None or fall.recovered_ms > fall.deepest_ms


def test_rolling_figures_are_those_of_each_window_alone(result: BacktestResult) -> None:
    returns = daily_returns(result.equity, result.initial_balance)
    found = rolling(result.equity, returns, 5)

    assert len(found.time_ms) == len(found.sharpe) == len(returns) - 4
    assert found.time_ms[-1] == result.equity.time_ms[-1]
    for index, (sharpe, volatility) in enumerate(zip(found.sharpe, found.volatility, strict=True)):
        window = returns[index : index + 5]
        expected = sharpe_ratio(window)
        assert np.isnan(sharpe) if expected is None else sharpe == pytest.approx(expected)
        assert volatility == pytest.approx(np.std(window, ddof=1) * np.sqrt(365))


def test_too_few_days_have_no_rolling_figures() -> None:
    equity = equity_of([100.0, 101.0])

    assert len(rolling(equity, daily_returns(equity, 100.0), 30).time_ms) == 0


def test_to_hold_is_the_mean_of_what_the_assets_became_and_to_short_its_mirror(
    result: BacktestResult,
) -> None:
    found, start_ms = benchmark(result), warm_ms(result)
    grown = []
    for market in result.market.assets.values():
        index = (start_ms - int(market.series.open_time_ms[0])) // market.series.candle_ms - 1
        grown.append(market.series.close[-1] / market.series.close[index])

    first = result.rules.candles.warmup_candles * result.market.candle_ms
    assert start_ms == result.market.first_open_ms + first
    assert found.hold[-1] == pytest.approx(result.initial_balance * np.mean(grown))
    assert found.short[-1] == pytest.approx(result.initial_balance * (2 - np.mean(grown)))
    before = result.equity.time_ms <= start_ms
    assert set(found.hold[before]) == {result.initial_balance}


def test_exposure_is_the_sum_of_what_is_open_at_each_change(result: BacktestResult) -> None:
    times, notional = exposure(result)

    for time_ms, value in zip(times[::7], notional[::7], strict=True):
        open_then = [t for t in result.trades if t.entry_ms <= time_ms < t.exit_ms]
        expected = sum((t.qty * t.entry_price for t in open_then), Decimal(0))
        expected += sum(
            (one.open_notional for one in result.open_positions if one.opened_ms <= time_ms),
            Decimal(0),
        )
        assert value == pytest.approx(float(expected), abs=1e-5)


def test_nothing_is_opened_in_a_rest(result: BacktestResult) -> None:
    found = rests(result)

    assert {rest.reason for rest in found} >= {"DAILY_LOSS", "CORRELATION", "LOSS_STREAK"}
    for rest in found:
        assert rest.end_ms > rest.begin_ms
        assert not [t for t in result.trades if rest.begin_ms < t.entry_ms < rest.end_ms]


def test_the_time_after_a_halt_is_a_part_of_the_span(result: BacktestResult) -> None:
    halts = [fired for fired in result.protections if fired.reason is ExitReason.HALT]
    span_ms = int(result.equity.time_ms[-1]) - result.market.first_open_ms

    assert result.is_halted
    assert len(halts) == 1
    (rest,) = [rest for rest in rests(result) if rest.reason == ExitReason.HALT]
    assert (rest.begin_ms, rest.end_ms) == (halts[0].t_ms, int(result.equity.time_ms[-1]))
    after_ms = int(result.equity.time_ms[-1]) - halts[0].t_ms
    assert halted_fraction(result) == pytest.approx(after_ms / span_ms)


def test_excursions_hold_the_entry_the_exit_and_what_lay_between(result: BacktestResult) -> None:
    found = excursions(result)

    assert len(found) == len(result.trades)
    for trade, excursion in zip(result.trades, found, strict=True):
        sign = -1 if trade.side is Side.SELL else 1
        moved = sign * float(trade.exit_price / trade.entry_price - 1)
        assert excursion.favorable >= max(0.0, moved) - 1e-12
        assert excursion.adverse >= max(0.0, -moved) - 1e-12
        if trade.reason is ExitReason.STOP_LOSS:
            assert excursion.adverse == pytest.approx(-moved, abs=0.02)
        if trade.reason is ExitReason.TAKE_PROFIT:
            assert excursion.favorable == pytest.approx(moved, abs=0.02)


def test_wins_losses_and_streaks_are_those_of_the_trades(result: BacktestResult) -> None:
    found = trade_stats(result.trades)
    pnl = [float(trade.pnl) for trade in result.trades]
    signs = "".join("+" if value > 0 else "-" if value < 0 else "0" for value in pnl)

    assert found.average_win == pytest.approx(np.mean([v for v in pnl if v > 0]))
    assert found.average_loss == pytest.approx(np.mean([v for v in pnl if v < 0]))
    assert found.payoff == pytest.approx(found.average_win / -found.average_loss)
    assert found.longest_wins == max(map(len, signs.replace("0", "-").split("-")))
    assert found.longest_losses == max(map(len, signs.replace("0", "+").split("+")))


def test_without_trades_nothing_is_defined_and_nothing_fails() -> None:
    found = trade_stats([])

    assert (found.average_win, found.average_loss, found.payoff) == (None, None, None)
    assert found.longest_wins == found.longest_losses == 0
