"""Long on a rise through the trigger average that two of three indicators confirm.

A trigger is a close above EMA(50) after one below it. Confirmations are a close above EMA(200), a
MACD line above its signal, and an RSI above its level; the regime is ACTIVE while enough of them
agree. An INACTIVE regime closes nothing: the trailing stop ends the position.
"""

from collections.abc import Iterator

from domain.market.indicators import Rsi, ema_alpha, ema_next
from domain.market.instruments import Candle, Side
from domain.strategies.base import CandleRules, Evaluation, Parameters, Signal, Strategy, Value
from domain.strategies.confirmed_trend_rules import ConfirmedTrendRules
from domain.strategies.explanation import Condition

_TRIGGER = "PRICE_ABOVE_TRIGGER"


class _Macd:
    """The fold of the MACD line and its signal, which is seeded with the first line value."""

    __slots__ = ("_alpha_fast", "_alpha_signal", "_alpha_slow", "fast", "signal", "slow")

    def __init__(self, rules: ConfirmedTrendRules, close: float) -> None:
        """Seed all averages with the first close: the line is 0."""
        self._alpha_fast = ema_alpha(rules.macd_fast_period)
        self._alpha_slow = ema_alpha(rules.macd_slow_period)
        self._alpha_signal = ema_alpha(rules.macd_signal_period)
        self.fast = self.slow = close
        self.signal = 0.0

    @property
    def line(self) -> float:
        """The fast average less the slow one, quote."""
        return self.fast - self.slow

    def apply(self, close: float) -> None:
        """Fold one more close."""
        self.fast = ema_next(self.fast, close, self._alpha_fast)
        self.slow = ema_next(self.slow, close, self._alpha_slow)
        self.signal = ema_next(self.signal, self.line, self._alpha_signal)


class ConfirmedTrendLong(Strategy):
    """The strategy of the multi-pair system."""

    side = Side.BUY
    exits_when_inactive = False

    def __init__(self, parameters: Parameters, candles: CandleRules) -> None:
        """Start before the first candle."""
        super().__init__(parameters, candles)
        self.rules = ConfirmedTrendRules.read(parameters)
        self._alpha_trigger = ema_alpha(self.rules.ema_trigger_period)
        self._alpha_trend = ema_alpha(self.rules.ema_trend_period)
        self.close: float | None = None
        self.trigger = self.trend = 0.0
        """The averages EMA(50) and EMA(200)."""
        self._macd: _Macd | None = None
        self._rsi = Rsi(self.rules.rsi_period)
        self.newest_signal_ms: int | None = None
        """Close time of the newest trigger."""

    def fold(self, candle: Candle, before_ms: int | None) -> tuple[str, ...]:  # noqa: ARG002
        """Fold a candle and return its trigger, if any."""
        close, before = candle.close, self.close
        self.close = close
        self._rsi.apply(close)
        if before is None or self._macd is None:
            self.trigger = self.trend = close
            self._macd = _Macd(self.rules, close)
            return ()
        was_below = before < self.trigger
        self.trigger = ema_next(self.trigger, close, self._alpha_trigger)
        self.trend = ema_next(self.trend, close, self._alpha_trend)
        self._macd.apply(close)
        if not (was_below and close > self.trigger and self.is_warm):
            return ()
        self.newest_signal_ms = candle.close_time_ms
        return (_TRIGGER,)

    def evaluate(self) -> Evaluation:
        """Return the confirmations and the newest trigger."""
        close, macd = self.close, self._macd
        if close is None or macd is None:
            raise ValueError("expected a candle before an evaluation")
        confirmations = self._confirmations(close, macd)
        level = self.rules.entry_confirmation_level
        return Evaluation(
            regime=(
                Condition(
                    name="confirmations",
                    figure=confirmations,
                    needs=">=",
                    limit=level,
                    holds=confirmations >= level,
                ),
            ),
            values=tuple(self._values(macd, confirmations)),
            note=f"{confirmations} of 3 confirm",
            signal=self._newest_signal(close),
        )

    def _confirmations(self, close: float, macd: _Macd) -> int:
        rsi = self._rsi.value
        is_strong = rsi is not None and rsi > self.rules.rsi_level
        return (close > self.trend) + (macd.line > macd.signal) + is_strong

    def _values(self, macd: _Macd, confirmations: int) -> Iterator[Value]:
        rules, rsi = self.rules, self._rsi.value
        yield Value(
            name="ema_trigger", label=f"EMA {rules.ema_trigger_period}", figure=self.trigger
        )
        yield Value(name="ema_trend", label=f"EMA {rules.ema_trend_period}", figure=self.trend)
        yield Value(name="macd", label="MACD", figure=macd.line, is_price=False)
        yield Value(name="macd_signal", label="MACD signal", figure=macd.signal, is_price=False)
        if rsi is not None:
            yield Value(name="rsi", label=f"RSI {rules.rsi_period}", figure=rsi, is_price=False)
        yield Value(
            name="confirmations", label="confirmations", figure=confirmations, is_price=False
        )
        yield Value(name="confidence", label="confidence", figure=confirmations / 3, is_price=False)

    def _newest_signal(self, close: float) -> Signal | None:
        if self.newest_signal_ms is None:
            return None
        return Signal(
            signal_ms=self.newest_signal_ms,
            kinds=_TRIGGER,
            side=self.side,
            strength=(close - self.trend) / self.trend,
            max_age_ms=self.rules.max_entry_wait_candles * self.candles.candle_ms,
        )
