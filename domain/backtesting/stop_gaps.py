"""Results of a backtest if stops fill past their triggers, as they do in a crash."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from domain.backtesting.figures import BacktestFigures, backtest_figures
from domain.backtesting.market import Market
from domain.backtesting.run import run_backtest
from domain.rules import TradingRules
from domain.trading.orders import ExitReason
from domain.trading.positions import ZERO

FRACTIONS = (ZERO, Decimal("0.1"), Decimal("0.5"))
"""Fractions that a check tries: of the way from the trigger to the candle's extreme."""
_STOPS = (ExitReason.STOP_LOSS, ExitReason.TRAILING_STOP)


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRun:
    """A run, and how far its stops filled past their triggers."""

    fraction: Decimal
    figures: BacktestFigures

    @property
    def stops(self) -> int:
        """Number of trades that ended at a stop."""
        exits = self.figures.total.exits_by_reason
        return sum(exits.get(reason, 0) for reason in _STOPS)


def with_gap(rules: TradingRules, fraction: Decimal) -> TradingRules:
    return replace(rules, fills=replace(rules.fills, stop_gap_fraction=fraction))


def gap_runs(market: Market, rules: TradingRules) -> Iterator[GapRun]:
    """Yield a run at each of FRACTIONS, and at that of the rules if it is another one."""
    for fraction in sorted({*FRACTIONS, rules.fills.stop_gap_fraction}):
        result = run_backtest(market, with_gap(rules, fraction))
        yield GapRun(fraction=fraction, figures=backtest_figures(result))


def without_gaps(
    market: Market, rules: TradingRules, tell: Callable[[int], None] | None = None
) -> BacktestFigures | None:
    """Return the result if stops fill at their triggers; None if they do by the rules.

    The arguments are those of `run_backtest`.
    """
    if not rules.fills.stop_gap_fraction:
        return None
    return backtest_figures(run_backtest(market, with_gap(rules, ZERO), tell))
