"""One asset during a run in leaps: its position, and the next close that may change it."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import numpy as np

from domain.backtesting.market import AssetMarket, Market
from domain.backtesting.stop_search import StopFill, StopSearch
from domain.backtesting.windows import HistoryWindows
from domain.market.funding import funding_rate
from domain.market.indicators import Array, volatility
from domain.market.instruments import Side, exact
from domain.rules import TradingRules
from domain.strategies.base import Regime, Strategy
from domain.strategies.history import History
from domain.trading.asset import kept_regime, kept_time
from domain.trading.cooldowns import AssetCooldown
from domain.trading.decisions import AssetEvaluation, EntrySignal
from domain.trading.orders import ExitReason
from domain.trading.positions import Position, Trade
from domain.trading.trailing import first_stop


class AssetRun:
    """The fold of one asset's trades. Closes are numbers on the common grid, indices its own.

    Always true: no close before `next_event` can change anything for this asset.
    """

    def __init__(
        self,
        market: Market,
        asset: AssetMarket,
        rules: TradingRules,
        windows: HistoryWindows,
        strategy: type[Strategy],
        history: History,
    ) -> None:
        """Start flat, before the first candle."""
        self._grid, self._rules, self._windows = market, rules, windows
        self.market = asset
        self.name = asset.asset
        self._asset_rules = rules.asset(asset.asset)
        self._stops = self._asset_rules.stops
        self._strategy = strategy
        self.history = history
        self._ends = _activity_ends(history)
        self.cooldown = AssetCooldown(rules.cooldown)
        self._search = StopSearch(
            asset.series, self._asset_rules.instrument, self._stops, rules.fills.stop_gap_fraction
        )
        self._close = asset.series.close
        self._never = market.closes
        self._used = -1
        """Index of the newest signal that was used."""
        self._position: Position | None = None
        self._qty = self._notional = 0.0
        """Of the open position, negative for a short."""
        self._fill: StopFill | None = None
        self._exit = self._stopped = self._paid = self._never
        self.acts_at = self._never
        """The next close in whose candle the exchange ends or funds the open position."""
        self._next = -1
        self._next_free_from = 0
        self.speaks_from = 0
        """The first close at which `report` may return something."""

    # What is ahead.

    def next_event(self, first: int, free_from: int) -> int:
        """Return the first close in [first, end) at which something may happen to the asset.

        Args:
            first: a close; all before it are done.
            free_from: entries at closes before this are denied without being looked at.
        """
        if self._next < first or self._next_free_from != free_from:
            self._next_free_from = free_from
            if self._position is not None:
                self._next, self.speaks_from = min(self._exit, self.acts_at), self._exit
            else:
                self._next = self._next_entry(max(first, free_from))
                # Before it is free again a signal is still refused at what closes are decided.
                self.speaks_from = first if first < free_from else self._next
        return self._next

    def fill_inside(self, close: int) -> StopFill | None:
        """Return how the candle that ends at a close ends the open position."""
        return self._fill if close == self._stopped else None

    def entries_between(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the times of the flat asset's entries in [first, end) and of their signals."""
        history = self.history
        rested = self._grid.first_close_from(self.cooldown.end_ms)
        offset = self.market.offset
        for at in history.entries_between(max(first, rested) - offset, end - offset, self._used):
            yield self._time_ms(history.entries[at]), self._time_ms(history.origins[at])

    # Prices.

    def price(self, close: int) -> Decimal:
        """Return the price at a close; after the asset's last candle, its last price."""
        return exact(self._close.item(self._index(min(close, self.market.end - 1))))

    def open_price(self, close: int) -> Decimal:
        """Return the open price of the candle that ends at a close."""
        return exact(self.market.series.open.item(self._index(close)))

    def add_unrealized(self, equity: Array, first: int, end: int) -> None:
        """Add the open position's unrealized PnL at the closes [first, end)."""
        known = max(first, min(end, self.market.end))
        closes = self._close[self._index(first) : self._index(known)]
        equity[: known - first] += self._qty * closes - self._notional
        if known < end:
            equity[known - first :] += self._qty * float(self._close[-1]) - self._notional

    def funding_rate(self, close: int) -> Decimal | None:
        """Return the rate that is settled at the open of the candle that ends at a close."""
        open_ms = self._grid.time_ms(close) - self._grid.candle_ms
        return funding_rate(open_ms, self._rules.fills.funding, self.market.series.funding)

    # Decisions.

    def report(self, close: int, t_ms: int, global_cooldown_end_ms: int) -> AssetEvaluation | None:
        """Return the asset's evaluation of a close; None without a position or a signal.

        The volatility of a signal is left out: see `measured`.
        """
        if not self.market.is_open(close):
            return None
        index = close - self.market.offset
        rests = self.cooldown.is_active(t_ms)
        market = Regime.ACTIVE if self.history.is_active[index] else Regime.INACTIVE
        signal = None if self._position is not None or rests else self._signal(index)
        if self._position is None and signal is None:
            return None
        return AssetEvaluation(
            asset=self.name,
            t_ms=t_ms,
            close=self._close.item(index),
            regime=Regime.COOLDOWN if rests or t_ms < global_cooldown_end_ms else market,
            strategy_exit=self._strategy_exit(market, t_ms),
            signal=signal,
        )

    def _strategy_exit(self, market: Regime, t_ms: int) -> ExitReason | None:
        """Return the reason of the strategy's exit; the same conditions as in `AssetState`."""
        position, most = self._position, self._stops.max_hold_ms
        if position is None:
            return None
        if self._strategy.exits_when_inactive and not kept_regime(market).holds:
            return ExitReason.REGIME
        if most is not None and not kept_time(position, t_ms, most).holds:
            return ExitReason.TIME
        return None

    def _signal(self, index: int) -> EntrySignal | None:
        origin = self.history.entry_at(index)
        if origin is None or origin <= self._used:
            return None
        return EntrySignal(
            signal_ms=self._time_ms(origin),
            side=self._strategy.side,
            volatility=0.0,
            strength=self.history.strength(index),
        )

    def measured(self, report: AssetEvaluation) -> AssetEvaluation:
        """Return the evaluation of a close with the volatility of its signal."""
        returns = self._windows.returns(self.name, report.t_ms)
        if report.signal is None or returns is None:
            return report
        return replace(report, signal=replace(report.signal, volatility=volatility(returns)))

    # Events.

    def opened(self, position: Position, close: int) -> None:
        """Record a position that was opened at a close."""
        self._position = position
        if position.signal_ms is not None:
            self._used = self._index(self._grid.first_close_from(position.signal_ms))
        sign = 1.0 if position.side is Side.BUY else -1.0
        self._qty, self._notional = (
            sign * float(position.qty),
            sign * float(position.open_notional),
        )
        self._exit = self._own_exit(position, close)
        begin, end = self._index(close + 1), self._index(min(self._exit, self.market.end - 1)) + 1
        self._fill = self._search.first_fill(first_stop(position, self._rules), begin, end)
        self._stopped = self._never if self._fill is None else self.market.offset + self._fill.index
        self._look_for_funding(close + 1)

    def _own_exit(self, position: Position, close: int) -> int:
        """Return the close of the strategy's own exit."""
        found, most = self._never, self._stops.max_hold_ms
        if most is not None:
            found = self._grid.first_close_from(position.opened_ms + most)
        if self._strategy.exits_when_inactive:
            found = min(found, self.market.offset + self._end_of_activity(self._index(close)))
        found = max(close + 1, found)
        return found if found < self.market.end else self._never

    def _end_of_activity(self, index: int) -> int:
        at = bisect_right(self._ends, index)
        return self._ends[at] if at < len(self._ends) else len(self._close)

    def funded(self, position: Position, close: int) -> None:
        """Record the position after a settlement inside the candle that ends at a close."""
        self._position = position
        self._look_for_funding(close + 1)

    def closed(self, trade: Trade) -> None:
        """Record that the position was closed, and begin the trade's cooldown."""
        self._position = self._fill = None
        self._next, self.acts_at = -1, self._never
        # A stop inside a candle leaves the asset free to ask at its very close.
        self.speaks_from = 0
        self.cooldown.apply(trade)

    def _look_for_funding(self, first: int) -> None:
        self._next = -1
        interval_ms = self._rules.fills.funding.interval_ms
        found = self.market.first_funding(self._index(first), interval_ms)
        self._paid = self._never if found is None else self.market.offset + found
        self.acts_at = min(self._stopped, self._paid)

    def _next_entry(self, first: int) -> int:
        rested = self._grid.first_close_from(self.cooldown.end_ms)
        offset = self.market.offset
        found = self.history.first_entry(max(first, rested) - offset, self._used)
        return self._never if found is None else offset + found

    def _index(self, close: int) -> int:
        return close - self.market.offset

    def _time_ms(self, index: int) -> int:
        return self._grid.time_ms(self.market.offset + index)


def _activity_ends(history: History) -> list[int]:
    """Return the indices of the first closes after an active one that are not active."""
    active = history.is_active
    found: list[int] = (1 + np.flatnonzero(active[:-1] & ~active[1:])).tolist()
    return found
