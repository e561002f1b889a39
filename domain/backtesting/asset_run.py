"""One asset during a run in leaps: what it holds, and the next close at which it matters."""

import math
from bisect import bisect_left
from collections.abc import Iterator
from decimal import Decimal

from domain.backtesting.market import AssetMarket, Market
from domain.backtesting.signals import AssetSignals, funding_places
from domain.backtesting.windows import HistoryWindows
from domain.market.funding import funding_rate
from domain.market.indicators import Array, volatility
from domain.market.instruments import Side, exact
from domain.rules import TradingRules
from domain.strategies.base import Regime
from domain.strategies.ema_cross_short import EmaCrossRules
from domain.trading.asset import kept_regime, kept_time
from domain.trading.cooldowns import AssetCooldown
from domain.trading.decisions import AssetEvaluation, EntrySignal
from domain.trading.matching import CandlePrices
from domain.trading.orders import ExitReason
from domain.trading.positions import Position, Trade
from domain.trading.sizing import ProtectiveLevels, protective_levels

_ROOM = 1e-12
"""A stop is looked at exactly where a price comes so near to it, as a fraction of it."""


class AssetRun:
    """The fold of one asset's trades. Closes count on the grid of all, places on its own.

    Always true: no close before `next_event` can change anything for this asset.
    """

    def __init__(
        self, market: Market, asset: AssetMarket, rules: TradingRules, windows: HistoryWindows
    ) -> None:
        """Start flat, before the first candle."""
        self._grid, self._rules, self._windows = market, rules, windows
        self.market = asset
        self.name = asset.asset
        self._asset_rules = rules.asset(asset.asset)
        read = EmaCrossRules.read(self._asset_rules.terms.strategy.parameters)
        self.signals = AssetSignals(asset, read, rules.candles)
        self.cooldown = AssetCooldown(rules.cooldown)
        self._instrument = rules.asset(asset.asset).instrument
        self._funding = funding_places(asset, rules.fills.funding.interval_ms)
        self._never = market.closes
        self._used_cross = -1
        self._position: Position | None = None
        self._qty = self._notional = 0.0
        self.stops: ProtectiveLevels | None = None
        """Of the open position."""
        self._exit = self._stop = self._paid = self._never
        self._next = -1
        self._next_free_from = 0

    # What is to come.

    def next_event(self, first: int, free_from: int) -> int:
        """Return the first close in [first, end) at which something may happen to the asset.

        Args:
            first: a close; all before it are dealt with.
            free_from: wishes at closes before this are refused without a look.
        """
        if self._next < first or self._next_free_from != free_from:
            self._next_free_from = free_from
            if self._position is not None:
                self._next = min(self._exit, self._stop, self._paid)
            else:
                self._next = self._next_signal(max(first, free_from))
        return self._next

    def has_fill(self, close: int) -> bool:
        """Tell whether the exchange may act inside the candle that ends at this close."""
        return self._position is not None and close in (self._stop, self._paid)

    def wishes_between(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the times of the wishes of the flat asset in [first, end), with their crosses."""
        signals = self.signals
        rested = self._grid.first_close_from(self.cooldown.end_ms)
        offset = self.market.offset
        for at in signals.wishes_between(
            max(first, rested) - offset, end - offset, self._used_cross
        ):
            yield self._time_ms(signals.signals[at]), self._time_ms(signals.wish_crosses[at])

    # Prices.

    def price(self, close: int) -> Decimal:
        """Return the price at a close, after the asset's last candle that of its last."""
        return exact(float(self.signals.close[self._place(min(close, self.market.end - 1))]))

    def add_unrealized(self, equity: Array, first: int, end: int) -> None:
        """Add the open position's unrealized PnL at the closes [first, end)."""
        known = max(first, min(end, self.market.end))
        closes = self.signals.close[self._place(first) : self._place(known)]
        equity[: known - first] += self._notional - self._qty * closes
        if known < end:
            equity[known - first :] += self._notional - self._qty * float(self.signals.close[-1])

    def prices_inside(self, close: int) -> CandlePrices:
        """Return the exact prices of the candle that ends at a close."""
        series, place = self.market.series, self._place(close)
        return CandlePrices(
            open=exact(float(series.open[place])),
            high=exact(float(series.high[place])),
            low=exact(float(series.low[place])),
            close=exact(float(series.close[place])),
        )

    def funding_rate(self, close: int) -> Decimal | None:
        """Return the rate that is settled at the open of the candle that ends at a close."""
        open_ms = self._grid.time_ms(close) - self._grid.candle_ms
        return funding_rate(open_ms, self._rules.fills.funding, self.market.series.funding)

    # Decisions.

    def report(self, close: int, global_cooldown_end_ms: int) -> AssetEvaluation | None:
        """Return what the asset says of a close; None where it neither holds nor wishes."""
        is_known_quiet = self._next > close >= self._next_free_from and self._position is None
        if is_known_quiet or not self.market.is_open(close):
            return None
        t_ms, place = self._grid.time_ms(close), self._place(close)
        signals, rests = self.signals, self.cooldown.is_active(t_ms)
        market = Regime.ACTIVE if signals.is_active[place] else Regime.INACTIVE
        signal = None if self._position is not None or rests else self._signal(place, t_ms)
        if self._position is None and signal is None:
            return None
        return AssetEvaluation(
            asset=self.name,
            t_ms=t_ms,
            close=float(signals.close[place]),
            values=signals.values(place),
            regime=Regime.COOLDOWN if rests or t_ms < global_cooldown_end_ms else market,
            strategy_exit=self._strategy_exit(market, t_ms),
            signal=signal,
        )

    def _strategy_exit(self, market: Regime, t_ms: int) -> ExitReason | None:
        """Return why the position is let go; the same conditions as `AssetState` judges."""
        position, most = self._position, self._asset_rules.stops.max_hold_ms
        if position is None:
            return None
        if not kept_regime(market).holds:
            return ExitReason.REGIME
        return (
            ExitReason.TIME
            if most is not None and not kept_time(position, t_ms, most).holds
            else None
        )

    def _signal(self, place: int, t_ms: int) -> EntrySignal | None:
        signals = self.signals
        cross = signals.signal_at(place)
        if cross is None or cross <= self._used_cross:
            return None
        close, ema_long = float(signals.close[place]), float(signals.ema_long[place])
        returns = self._windows.returns(self.name, t_ms)
        return EntrySignal(
            signal_ms=self._time_ms(cross),
            side=Side.SELL,
            volatility=0.0 if returns is None else volatility(returns),
            strength=(ema_long - close) / ema_long,
        )

    # What happened.

    def opened(self, position: Position, close: int) -> None:
        """Hold a position that was opened at a close."""
        place = self._place(close)
        self._position = position
        if position.signal_ms is not None:
            self._used_cross = self._place(self._grid.first_close_from(position.signal_ms))
        self.stops = protective_levels(
            position.avg_entry_price, position.side, self._asset_rules.stops, self._instrument
        )
        self._qty, self._notional = float(position.qty), float(position.open_notional)
        most = self._asset_rules.stops.max_hold_ms
        held = (
            self._never if most is None else self._grid.first_close_from(position.opened_ms + most)
        )
        ended = self.market.offset + self.signals.end_of_activity(place)
        self._exit = self._within(max(close + 1, min(held, ended)))
        self.look_for_stop(close + 1)
        self._look_for_funding(close + 1)
        self._next = -1

    def funded(self, position: Position, close: int) -> None:
        """Hold what a settlement, inside the candle that ends at a close, left."""
        self._position = position
        self._look_for_funding(close + 1)

    def closed(self, trade: Trade) -> None:
        """Be flat, and rest as the trade demands."""
        self._position = self.stops = None
        self._next = -1
        self.cooldown.apply(trade)

    def look_for_stop(self, first: int) -> None:
        """Find the first candle, from one on, that may reach a stop."""
        self._stop, self._next = self._never, -1
        if self.stops is None:
            return
        series, begin = self.market.series, self._place(first)
        end = self._place(min(self._exit, self.market.end - 1)) + 1
        highest = float(self.stops.stop_loss) * (1.0 - _ROOM)
        target = self.stops.take_profit
        lowest = -math.inf if target is None else float(target) * (1.0 + _ROOM)
        hit = (series.high[begin:end] >= highest) | (series.low[begin:end] <= lowest)
        if hit.any():
            self._stop = first + int(hit.argmax())

    def _look_for_funding(self, first: int) -> None:
        at, self._next = bisect_left(self._funding, self._place(first)), -1
        is_known = at < len(self._funding)
        self._paid = self.market.offset + self._funding[at] if is_known else self._never

    def _next_signal(self, first: int) -> int:
        rested = self._grid.first_close_from(self.cooldown.end_ms)
        offset, signals = self.market.offset, self.signals
        begin = signals.first_signal(max(first, rested) - offset, self._used_cross)
        return self._never if begin is None else offset + begin

    def _within(self, close: int) -> int:
        return close if close < self.market.end else self._never

    def _place(self, close: int) -> int:
        return close - self.market.offset

    def _time_ms(self, place: int) -> int:
        return self._grid.time_ms(self.market.offset + place)
