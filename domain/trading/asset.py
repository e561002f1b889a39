"""All that decides for one asset: its signals, position and cooldown, folded into reports.

A running actor, a replay and a backtest hold the same `AssetState` and so decide the same.
"""

from collections.abc import Iterator

from domain.market.candles import CandleSeries
from domain.market.indicators import volatility
from domain.market.instruments import HOUR_MS, MINUTE_MS
from domain.rules import StrategyRules, TradingRules
from domain.strategies.crosses import CrossKind, Levels
from domain.strategies.explanation import Condition, Explanation
from domain.strategies.regime import Regime, market_regime, regime, regime_conditions
from domain.strategies.signals import Signals
from domain.trading.cooldowns import AssetCooldown
from domain.trading.decisions import EntrySignal, Report
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
        "used_signal_ms",
    )

    def __init__(self, asset: str, rules: TradingRules) -> None:
        """Start with no candle and no position."""
        self._rules = rules
        self.asset = asset
        self.signals = Signals(rules.strategy)
        self.cooldown = AssetCooldown(rules.cooldown)
        self.position: Position | None = None
        self.used_signal_ms: int | None = None
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
        if execution.signal_ms is not None:
            self.used_signal_ms = execution.signal_ms
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
        # An inactive regime is among the conditions: most closes need none of the others.
        may_ask = market is Regime.ACTIVE and all(
            each.holds for each in self._entry_conditions(levels, t_ms, may_enter=may_enter)
        )
        return Report(
            asset=self.asset,
            t_ms=t_ms,
            close=levels.close,
            ema_short=levels.ema_short,
            ema_long=levels.ema_long,
            regime=regime(market, in_cooldown=rests or t_ms < self.global_cooldown_end_ms),
            crosses_today=signals.crosses_today,
            strategy_exit=strategy_exit(self.position, market, t_ms, self._rules.strategy)
            if signals.is_warm
            else None,
            signal=self._signal(levels) if may_ask else None,
        )

    def explain(self, *, may_enter: bool) -> Explanation | None:
        """Return every condition that `report` judges the newest close by, with its figures."""
        levels, t_ms = self.signals.levels, self.signals.t_ms
        if levels is None or t_ms is None:
            return None
        stay = stay_conditions(
            self.position, self._market_regime(levels), t_ms, self._rules.strategy
        )
        return Explanation(
            t_ms=t_ms,
            entry=tuple(self._entry_conditions(levels, t_ms, may_enter=may_enter)),
            stay=tuple(condition for _, condition in stay) if self.signals.is_warm else (),
        )

    def _market_regime(self, levels: Levels) -> Regime:
        if not self.signals.is_warm:
            return Regime.INACTIVE
        return market_regime(
            levels,
            self.signals.crosses_today,
            cross_threshold=self._rules.strategy.cross_threshold,
        )

    def _entry_conditions(
        self, levels: Levels, t_ms: int, *, may_enter: bool
    ) -> Iterator[Condition]:
        """Yield what must hold for a wish to enter (section 4), the portfolio's grant left out."""
        rules, signals = self._rules.strategy, self.signals
        yield Condition(
            name="candles seen",
            figure=signals.closes_seen,
            needs=">",
            limit=rules.warmup_candles,
            holds=signals.is_warm,
        )
        yield from regime_conditions(
            levels, signals.crosses_today, cross_threshold=rules.cross_threshold
        )
        yield from self._cross_conditions(t_ms)
        yield Condition(
            name="position",
            figure="none" if self.position is None else "open",
            limit="none",
            holds=self.position is None,
        )
        yield Condition(
            name="order under way",
            figure="none" if may_enter else "one",
            limit="none",
            holds=may_enter,
        )
        rests = self.cooldown.is_active(t_ms)
        yield Condition(
            name="cooldown",
            figure=f"{self.cooldown.reason} until" if rests else "none",
            limit="none",
            holds=not rests,
            at_ms=self.cooldown.end_ms if rests else None,
        )
        yield Condition(
            name="crosses today",
            figure=signals.crosses_today,
            needs="<",
            limit=rules.cross_threshold,
            holds=signals.crosses_today < rules.cross_threshold,
        )

    def _cross_conditions(self, t_ms: int) -> Iterator[Condition]:
        signal_ms, window_ms = self.signals.newest_signal_ms, self._rules.strategy.entry_window_ms
        age_ms = None if signal_ms is None else t_ms - signal_ms
        yield Condition(
            name="minutes since the newest cross",
            figure="none" if age_ms is None else age_ms / MINUTE_MS,
            needs="<=",
            limit=window_ms / MINUTE_MS,
            holds=age_ms is not None and age_ms <= window_ms,
        )
        is_used = signal_ms == self.used_signal_ms
        how = f"{'used' if is_used else 'unused'} {self.signals.newest_crosses} of"
        yield Condition(
            name="newest cross",
            figure="none" if signal_ms is None else how,
            limit="unused",
            holds=signal_ms is not None and not is_used,
            at_ms=signal_ms,
        )

    def _signal(self, levels: Levels) -> EntrySignal | None:
        signal_ms = self.signals.newest_signal_ms
        if signal_ms is None:
            return None
        returns = self.signals.window.log_returns()
        return EntrySignal(
            signal_ms=signal_ms,
            crosses=self.signals.newest_crosses,
            volatility=0.0 if returns is None else volatility(returns),
            regime_strength=(levels.ema_long - levels.close) / levels.ema_long,
        )


def strategy_exit(
    position: Position | None, market: Regime, t_ms: int, rules: StrategyRules
) -> ExitReason | None:
    """Return why an asset lets its position go at a close (6.2); None where it does not.

    Args:
        position: what is open.
        market: the regime, cooldowns left out.
        t_ms: the close.
        rules: when a position was held for long enough.
    """
    conditions = stay_conditions(position, market, t_ms, rules)
    return next((reason for reason, condition in conditions if not condition.holds), None)


def stay_conditions(
    position: Position | None, market: Regime, t_ms: int, rules: StrategyRules
) -> Iterator[tuple[ExitReason, Condition]]:
    """Yield what must hold for a position to be kept at a close, with the exit that follows.

    Nothing where none is open. The arguments are those of `strategy_exit`.
    """
    if position is None:
        return
    yield (
        ExitReason.REGIME,
        Condition(
            name="regime",
            figure=market.value,
            limit=Regime.ACTIVE.value,
            holds=market is Regime.ACTIVE,
        ),
    )
    held_ms = t_ms - position.opened_ms
    yield (
        ExitReason.TIME,
        Condition(
            name="hours held",
            figure=held_ms / HOUR_MS,
            needs="<",
            limit=rules.max_hold_ms / HOUR_MS,
            holds=held_ms < rules.max_hold_ms,
        ),
    )
