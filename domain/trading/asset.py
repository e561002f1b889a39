"""All that decides for one asset: its signals, position and cooldown, folded into reports.

A running actor, a replay and a backtest hold the same `AssetState` and so decide the same.
"""

from domain.market.candles import CandleSeries
from domain.market.indicators import volatility
from domain.rules import StrategyRules, TradingRules
from domain.strategies.crosses import CrossKind, Levels
from domain.strategies.regime import Regime, market_regime, regime
from domain.strategies.signals import Signals
from domain.trading.cooldowns import AssetCooldown
from domain.trading.decisions import EntryWish, Report
from domain.trading.orders import ExitReason
from domain.trading.positions import Booked, Execution, Position, book


class AssetState:
    """The fold of one asset's candles and executions."""

    __slots__ = (
        "_rules",
        "asset",
        "cooldown",
        "global_cooldown_end_ms",
        "position",
        "signals",
        "used_cross_ms",
    )

    def __init__(self, asset: str, rules: TradingRules) -> None:
        """Start with no candle and no position."""
        self._rules = rules
        self.asset = asset
        self.signals = Signals(rules.strategy)
        self.cooldown = AssetCooldown(rules.cooldown)
        self.position: Position | None = None
        self.used_cross_ms: int | None = None
        """The newest cross that opened a position."""
        self.global_cooldown_end_ms = 0

    def apply_candles(self, series: CandleSeries) -> None:
        """Fold all candles of a series, which replace those folded before."""
        self.signals = Signals.refold(self._rules.strategy, series)

    def apply_candle(self, close_time_ms: int, close: float) -> tuple[CrossKind, ...]:
        """Fold one more closed candle and return the crosses it made."""
        return self.signals.apply(close_time_ms, close)

    def apply_execution(self, execution: Execution) -> Booked:
        """Fold one execution of this asset and return what it did."""
        booked = book(self.position, execution)
        self.position = booked.position
        if execution.cross_ms is not None:
            self.used_cross_ms = execution.cross_ms
        if booked.trade is not None:
            self.cooldown.apply(booked.trade)
        return booked

    def report(self, *, may_enter: bool) -> Report | None:
        """Return what the asset says of its newest close.

        Args:
            may_enter: False while an order is under way or the asset is paused.

        Returns:
            None before the first candle. While the asset warms up it is inactive, neither
            wishes nor exits.
        """
        signals = self.signals
        levels, t_ms = signals.levels, signals.t_ms
        if levels is None or t_ms is None:
            return None
        market = self._market_regime(levels)
        rests = self.cooldown.is_active(t_ms)
        may_wish = may_enter and market is Regime.ACTIVE and not rests
        return Report(
            asset=self.asset,
            t_ms=t_ms,
            close=levels.close,
            ema_short=levels.ema_short,
            ema_long=levels.ema_long,
            regime=regime(market, in_cooldown=rests or t_ms < self.global_cooldown_end_ms),
            crosses_today=signals.crosses_today,
            own_exit=own_exit(self.position, market, t_ms, self._rules.strategy)
            if signals.is_warm
            else None,
            wish=self._wish(levels, t_ms) if may_wish else None,
        )

    def _market_regime(self, levels: Levels) -> Regime:
        if not self.signals.is_warm:
            return Regime.INACTIVE
        return market_regime(
            levels,
            self.signals.crosses_today,
            cross_threshold=self._rules.strategy.cross_threshold,
        )

    def _wish(self, levels: Levels, t_ms: int) -> EntryWish | None:
        rules, cross_ms = self._rules.strategy, self.signals.newest_cross_ms
        if self.position is not None or cross_ms is None or cross_ms == self.used_cross_ms:
            return None
        too_old = t_ms - cross_ms > rules.entry_window_ms
        if too_old or self.signals.crosses_today >= rules.cross_threshold:
            return None
        returns = self.signals.window.log_returns()
        return EntryWish(
            cross_ms=cross_ms,
            crosses=self.signals.newest_crosses,
            volatility=0.0 if returns is None else volatility(returns),
            regime_strength=(levels.ema_long - levels.close) / levels.ema_long,
        )


def own_exit(
    position: Position | None, market: Regime, t_ms: int, rules: StrategyRules
) -> ExitReason | None:
    """Return why an asset lets its position go at a close (6.2); None where it does not.

    Args:
        position: what is open.
        market: the regime, cooldowns left out.
        t_ms: the close.
        rules: when a position was held for long enough.
    """
    if position is None:
        return None
    if market is Regime.INACTIVE:
        return ExitReason.REGIME
    if t_ms - position.opened_ms >= rules.max_hold_ms:
        return ExitReason.TIME
    return None
