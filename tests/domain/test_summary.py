"""Figures of a run against numbers worked out by hand."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.backtesting.summary import figures, in_order, max_drawdown
from domain.portfolio.protection import initial_state
from domain.trading.orders import ExitReason
from tests.domain.builders import NOON_MS, trade


def test_figures_over_trades() -> None:
    found = figures(
        [
            trade("6", fees="1.5", funding="0.25"),
            trade("3", fees="1", funding="-0.5", reason=ExitReason.TAKE_PROFIT),
            trade("0", fees="0.5"),
            trade("-4", fees="2", reason=ExitReason.STOP_LOSS),
            trade("-2", fees="1"),
        ]
    )

    assert (found.trades, found.wins, found.win_rate) == (5, 2, 0.4)
    assert (found.pnl, found.fees, found.funding) == (3, 6, Decimal("-0.25"))
    assert (found.gross_profit, found.gross_loss, found.profit_factor) == (9, 6, 1.5)
    assert found.exits == {
        ExitReason.REGIME: 3,
        ExitReason.TAKE_PROFIT: 1,
        ExitReason.STOP_LOSS: 1,
    }


def test_rates_of_nothing_are_none() -> None:
    assert figures([]).win_rate is None
    assert figures([]).pnl == 0
    assert figures([trade(1)]).profit_factor is None
    assert figures([trade(-1)]).profit_factor == 0


@pytest.mark.parametrize(
    ("equities", "deepest"),
    [
        ([], "0"),
        (["100", "90", "120", "105", "130"], "0.125"),
        (["100", "75", "200", "160"], "0.25"),
        (["100", "110"], "0"),
        (["0", "100", "50"], "0.5"),
    ],
)
def test_max_drawdown_is_the_deepest_fall_below_the_highest_so_far(equities, deepest) -> None:
    start = initial_state(Decimal(1), NOON_MS)

    samples = [replace(start, equity=Decimal(equity)) for equity in equities]

    assert max_drawdown(samples) == Decimal(deepest)


def test_trades_are_ordered_by_exit_and_then_by_the_settings() -> None:
    late = trade(asset="ETH", exit_ms=NOON_MS + 1)
    first, second = trade(asset="SOL"), trade(asset="BTC")

    assert in_order([late, second, first], ["ETH", "SOL", "BTC"]) == [first, second, late]
