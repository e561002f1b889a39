"""One backtest, in leaps if its strategies allow that, otherwise close by close."""

from collections.abc import Callable, Mapping

import numpy as np

from domain.backtesting.engine import play_in_leaps
from domain.backtesting.histories import can_leap
from domain.backtesting.market import Market
from domain.backtesting.plain_loop import Backtest
from domain.backtesting.result import BacktestResult, EquitySeries, Refused
from domain.backtesting.summary import in_order
from domain.market.candles import Flags
from domain.market.instruments import Candle
from domain.rules import TradingRules
from domain.strategies.base import Evaluation, Regime
from domain.strategies.history import Line


def run_backtest(
    market: Market, rules: TradingRules, tell: Callable[[int], None] | None = None
) -> BacktestResult:
    """Run the rules over the candles.

    Args:
        market: candles by asset; others than those of the rules take no part.
        rules: which assets, limits and costs.
        tell: called now and then with the number of closes played so far.

    Raises:
        ConfigError: a strategy is not known.
    """
    play = play_in_leaps if can_leap(rules) else play_close_by_close
    return play(market, rules, tell)


def play_close_by_close(
    market: Market, rules: TradingRules, tell: Callable[[int], None] | None = None
) -> BacktestResult:
    """Return the same as `run_backtest` by the plain loop, which works with any strategy."""
    return _Noted(market, rules, tell).noted()


class _Noted(Backtest):
    """The plain loop, which also records each close."""

    def __init__(
        self, market: Market, rules: TradingRules, tell: Callable[[int], None] | None
    ) -> None:
        known = {asset.asset for asset in rules.assets}
        candles = {name: one.series for name, one in market.assets.items() if name in known}
        super().__init__(candles, rules)
        self._market, self._tell = market, tell
        self._histories = {name: NotedHistory(len(candles[name])) for name in self._names}
        self._balances = np.full(market.closes, float(rules.fills.initial_balance))
        self._equities = self._balances.copy()
        self._newest = 0
        """The last played close of the grid."""

    def noted(self) -> BacktestResult:
        """Return the result of the run."""
        result, portfolio, order = self.run(), self.portfolio, [a.asset for a in self._rules.assets]
        portfolio.fold_all()
        # The grid may continue with candles of assets that take no part.
        self._balances[self._newest + 1 :] = portfolio.balance
        self._equities[self._newest + 1 :] = portfolio.equity()
        self._balances[-1], self._equities[-1] = portfolio.balance, portfolio.equity()
        denials = (denial for decision in result.decisions for denial in decision.denials)
        refused = [
            Refused(asset=one.asset, t_ms=one.t_ms, reason=one.reason, signal_ms=one.signal_ms)
            for one in denials
        ]
        return BacktestResult(
            rules=self._rules,
            market=self._market,
            histories=self._histories,
            trades=in_order(result.trades, order),
            open_positions=list(portfolio.positions.values()),
            refused=sorted(refused, key=lambda one: (one.t_ms, order.index(one.asset))),
            protections=[one.protection for one in result.decisions if one.protection],
            equity=EquitySeries(
                time_ms=self._market.times_ms,
                balance=self._balances,
                equity=self._equities,
            ),
            protection=portfolio.protection,
        )

    def _at_close(self, t_ms: int, candles: Mapping[str, Candle]) -> None:
        super()._at_close(t_ms, candles)
        close, state = self._market.first_close_from(t_ms), self.portfolio.protection
        self._balances[close], self._equities[close] = state.balance, state.equity
        self._newest = close
        for name in candles:
            strategy, index = self._assets[name].strategy, close - self._market.assets[name].offset
            self._histories[name].note(index, strategy.evaluate(), is_warm=strategy.is_warm)
        if self._tell is not None:
            self._tell(close + 1)


class NotedHistory:
    """A strategy's results, recorded close by close."""

    def __init__(self, closes: int) -> None:
        """Start before the first of a number of closes."""
        self.is_active: Flags = np.zeros(closes, dtype=np.bool_)
        self._lines: dict[str, Line] = {}

    def lines(self) -> list[Line]:
        """Return the figures at all closes, by the strategy's own names."""
        return list(self._lines.values())

    def note(self, index: int, found: Evaluation, *, is_warm: bool) -> None:
        """Record the result at a close."""
        self.is_active[index] = is_warm and found.market_regime is Regime.ACTIVE
        for value in found.values:
            line = self._lines.get(value.name)
            if line is None:
                line = self._lines[value.name] = Line(
                    name=value.name,
                    label=value.label,
                    figures=np.full(len(self.is_active), np.nan),
                    is_price=value.is_price,
                )
            line.figures[index] = value.figure
