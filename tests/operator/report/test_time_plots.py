"""The axes of the report's plots over time."""

from dataclasses import replace

import pytest

from domain.backtesting.market import Market
from domain.backtesting.run import run_backtest
from infra.operator.report.style import GAIN, LOSS
from infra.operator.report.time_plots import market_plot
from tests.backtesting.markets import Recipe, lively_rules, random_market


@pytest.fixture(scope="module")
def result():
    return run_backtest(
        Market(random_market(Recipe(seed=5, candles=900, volatility=0.004))), lively_rules()
    )


def test_prices_before_what_counts_do_not_flatten_those_that_were_traded(result):
    asset = next(iter(result.histories))
    series = result.market.assets[asset].series
    late = replace(result, counts_from_ms=int(series.open_time_ms[-100]))

    low, high = market_plot(late, asset).layout.yaxis.range

    assert (series.low[-100:].min(), series.high[-100:].max()) == pytest.approx(
        (low + 0.08 / 1.16 * (high - low), high - 0.08 / 1.16 * (high - low))
    )
    assert late.begin_ms == market_plot(late, asset).layout.xaxis.range[0]
    assert market_plot(result, asset).layout.yaxis.range is None


def test_lost_trades_differ_from_won_ones_by_more_than_their_color(result):
    asset = next(iter(result.histories))
    trades = [trade for trade in result.trades if trade.asset == asset]

    (exits,) = [trace for trace in market_plot(result, asset).data if trace.name == "exit"]

    marked = dict(zip(exits.marker.symbol, exits.marker.color, strict=True))
    assert marked == {"circle-open": GAIN, "x-open": LOSS}
    won = [symbol == "circle-open" for symbol in exits.marker.symbol]
    assert won == [trade.pnl > 0 for trade in trades]
