"""All decisions about one asset: its strategy, position and cooldown, folded into evaluations.

A running actor, a replay and a backtest use the same `AssetState` and so decide the same.
"""

from collections.abc import Iterable, Iterator

from domain.market.candles import CandleSeries
from domain.market.indicators import CloseWindow, volatility
from domain.market.instruments import HOUR_MS, MINUTE_MS, Candle
from domain.rules import TradingRules
from domain.strategies.base import Evaluation, Regime, Signal, Strategy
from domain.strategies.explanation import OPEN_POSITION, Condition, Explanation
from domain.strategies.registry import make_strategy
from domain.trading.cooldowns import AssetCooldown
from domain.trading.decisions import AssetEvaluation, EntrySignal
from domain.trading.orders import ExitReason
from domain.trading.positions import Booked, Execution, Position, book

_ORDER, _COOLDOWN = "order under way", "cooldown"
# Made only once: every close of every asset uses them.
_ACTIVE = str(Regime.ACTIVE)
_NO_POSITION = Condition(name=OPEN_POSITION, figure="none", limit="none", holds=True)
_A_POSITION = Condition(name=OPEN_POSITION, figure="open", limit="none", holds=False)
_NO_ORDER = Condition(name=_ORDER, figure="none", limit="none", holds=True)
_AN_ORDER = Condition(name=_ORDER, figure="one", limit="none", holds=False)
_NO_COOLDOWN = Condition(name=_COOLDOWN, figure="none", limit="none", holds=True)


class AssetState:
    """The fold of one asset's candles and executions."""

    def __init__(self, asset: str, rules: TradingRules) -> None:
        """Start with no candle and no position."""
        self._rules = rules
        self._asset_rules = rules.asset(asset)
        self.asset = asset
        self.strategy = make_strategy(self._asset_rules.terms.strategy, rules.candles)
        self._opener: Strategy | None = None
        """The strategy that opened the position, if it is no longer the asset's own."""
        self._series: CandleSeries | None = None
        """Candles that were folded at once; `_later` are those after them."""
        self._later: list[Candle] = []
        self.window = CloseWindow(rules.candles.volatility_window)
        self.close: float | None = None
        """Close of the newest candle."""
        self.cooldown = AssetCooldown(rules.cooldown)
        self.position: Position | None = None
        self.used_signal_ms: int | None = None
        """The newest signal that opened a position."""
        self.global_cooldown_end_ms = 0

    @property
    def t_ms(self) -> int | None:
        """Close time of the newest candle; None before the first."""
        return self.strategy.t_ms

    @property
    def closes_seen(self) -> int:
        """Number of folded candles."""
        return self.strategy.closes_seen

    @property
    def newest_signal_ms(self) -> int | None:
        """Close time of the newest signal; None before the first."""
        if self.t_ms is None:
            return None
        signal = self.strategy.evaluate().signal
        return None if signal is None else signal.signal_ms

    def apply_candles(self, series: CandleSeries) -> None:
        """Fold all candles of a series in place of those folded before."""
        self._series, self._later = series, []
        self.strategy = make_strategy(self._asset_rules.terms.strategy, self._rules.candles)
        self.strategy.refold(series)
        self._opener = None
        self._follow_opener()
        newest = series.close[-self._rules.candles.volatility_window - 1 :].tolist()
        self.window = CloseWindow(self._rules.candles.volatility_window, newest)
        self.close = newest[-1] if newest else None

    def apply_candle(self, candle: Candle) -> tuple[str, ...]:
        """Fold one more closed candle and return what it signaled."""
        self.window.append(candle.close)
        self.close = candle.close
        if self._series is not None:
            self._later.append(candle)
        if self._opener is not None:
            self._opener.apply(candle)
        return self.strategy.apply(candle)

    def apply_execution(self, execution: Execution) -> Booked:
        """Fold one execution of this asset and return what it did."""
        booked = book(self.position, execution)
        self.position = booked.position
        if execution.signal_ms is not None:
            self.used_signal_ms = execution.signal_ms
        if booked.trade is not None:
            self.cooldown.apply(booked.trade)
        self._follow_opener()
        return booked

    def report(self, *, may_enter: bool) -> AssetEvaluation | None:
        """Return the evaluation of the newest close.

        Args:
            may_enter: False while an order is in flight or the asset is paused.

        Returns:
            None before the first candle. During the warm-up the asset is inactive and neither
            asks to enter nor exits.
        """
        close, t_ms = self.close, self.t_ms
        if close is None or t_ms is None:
            return None
        found = self.strategy.evaluate()
        # The regime is one of the conditions: if it is inactive, the others need not be judged.
        may_ask = self._market(found) is Regime.ACTIVE and all(
            each.holds for each in self._entry_conditions(found, t_ms, may_enter=may_enter)
        )
        strategy_exit = _first_exit(self._stay_conditions(found, t_ms))
        return self._told(found, close, t_ms, strategy_exit, may_ask=may_ask)

    def decide(self, *, may_enter: bool) -> tuple[AssetEvaluation, Explanation] | None:
        """Return what `report` returns, and every condition behind it.

        The strategy evaluates once and each condition is judged once.
        """
        close, t_ms = self.close, self.t_ms
        if close is None or t_ms is None:
            return None
        found = self.strategy.evaluate()
        stay = tuple(self._stay_conditions(found, t_ms))
        explanation = Explanation(
            t_ms=t_ms,
            entry=tuple(self._entry_conditions(found, t_ms, may_enter=may_enter)),
            stay=tuple(condition for _, condition in stay),
        )
        may_ask = explanation.failed_entry is None
        return self._told(found, close, t_ms, _first_exit(stay), may_ask=may_ask), explanation

    def _market(self, found: Evaluation) -> Regime:
        return found.market_regime if self.strategy.is_warm else Regime.INACTIVE

    def _told(
        self,
        found: Evaluation,
        close: float,
        t_ms: int,
        strategy_exit: ExitReason | None,
        *,
        may_ask: bool,
    ) -> AssetEvaluation:
        rests = self.cooldown.is_active(t_ms) or t_ms < self.global_cooldown_end_ms
        return AssetEvaluation(
            asset=self.asset,
            t_ms=t_ms,
            close=close,
            values=found.values,
            note=found.note,
            regime=Regime.COOLDOWN if rests else self._market(found),
            strategy_exit=strategy_exit,
            signal=self._signal(found.signal) if may_ask else None,
        )

    def _entry_conditions(
        self, found: Evaluation, t_ms: int, *, may_enter: bool
    ) -> Iterator[Condition]:
        """Yield the conditions of an entry request (section 4), without the portfolio's limits."""
        yield Condition(
            name="candles seen",
            figure=self.closes_seen,
            needs=">",
            limit=self._rules.candles.warmup_candles,
            holds=self.strategy.is_warm,
        )
        yield from found.regime
        yield from self._signal_conditions(found.signal, t_ms)
        yield _NO_POSITION if self.position is None else _A_POSITION
        yield _NO_ORDER if may_enter else _AN_ORDER
        yield self._cooldown_condition() if self.cooldown.is_active(t_ms) else _NO_COOLDOWN
        yield from found.entry

    def _cooldown_condition(self) -> Condition:
        return Condition(
            name=_COOLDOWN,
            figure=f"{self.cooldown.reason} until",
            limit="none",
            holds=False,
            at_ms=self.cooldown.end_ms,
        )

    def _signal_conditions(self, signal: Signal | None, t_ms: int) -> Iterator[Condition]:
        age_ms = None if signal is None else t_ms - signal.signal_ms
        limit_ms = 0 if signal is None else signal.max_age_ms
        yield Condition(
            name="minutes since the newest signal",
            figure="none" if age_ms is None else age_ms / MINUTE_MS,
            needs="<=",
            limit=limit_ms / MINUTE_MS,
            holds=age_ms is not None and age_ms <= limit_ms,
        )
        is_used = signal is not None and signal.signal_ms == self.used_signal_ms
        yield Condition(
            name="newest signal",
            figure="none"
            if signal is None
            else f"{'used' if is_used else 'unused'} {signal.kinds} of",
            limit="unused",
            holds=signal is not None and not is_used,
            at_ms=None if signal is None else signal.signal_ms,
        )

    def _signal(self, signal: Signal | None) -> EntrySignal | None:
        if signal is None:
            return None
        returns = self.window.log_returns()
        return EntrySignal(
            signal_ms=signal.signal_ms,
            kinds=signal.kinds,
            side=signal.side,
            volatility=0.0 if returns is None else volatility(returns),
            strength=signal.strength,
        )

    def _stay_conditions(
        self, found: Evaluation, t_ms: int
    ) -> Iterator[tuple[ExitReason, Condition]]:
        """Yield the conditions of keeping the open position (6.2), each with the exit if it fails.

        The strategy that opened it judges. Yields nothing if flat, or in the warm-up.
        """
        opener = self._opener or self.strategy
        position = self.position
        if position is None or not opener.is_warm:
            return
        if opener.exits_when_inactive:
            market = (found if opener is self.strategy else opener.evaluate()).market_regime
            yield ExitReason.REGIME, kept_regime(market)
        stops = self._asset_rules.stops if position.terms is None else position.terms.stops
        if stops.max_hold_ms is not None:
            yield ExitReason.TIME, kept_time(position, t_ms, stops.max_hold_ms)

    def _follow_opener(self) -> None:
        """Keep the strategy that opened the position if the settings now name another."""
        terms = None if self.position is None else self.position.terms
        if terms is None or terms.strategy == self._asset_rules.terms.strategy:
            self._opener = None
        elif self._opener is None:
            self._opener = make_strategy(terms.strategy, self._rules.candles)
            if self._series is not None:
                self._opener.refold(self._series)
            for candle in self._later:
                self._opener.apply(candle)


def _first_exit(stay: Iterable[tuple[ExitReason, Condition]]) -> ExitReason | None:
    return next((reason for reason, condition in stay if not condition.holds), None)


def kept_regime(market: Regime) -> Condition:
    """Return the condition of a position that is closed when the regime turns INACTIVE."""
    return Condition(
        name="regime",
        figure=str(market),
        limit=_ACTIVE,
        holds=market is Regime.ACTIVE,
    )


def kept_time(position: Position, t_ms: int, max_hold_ms: int) -> Condition:
    """Return the condition of a position that is held for a limited time."""
    held_ms = t_ms - position.opened_ms
    return Condition(
        name="hours held",
        figure=held_ms / HOUR_MS,
        needs="<",
        limit=max_hold_ms / HOUR_MS,
        holds=held_ms < max_hold_ms,
    )
