"""A third strategy: long on a close above the highest close of the candles before it.

`docs/own-strategy.md` explains how to set it up, check, backtest and simulate it.
"""

from collections import deque

from domain.market.instruments import Candle, Side
from domain.strategies.base import (
    CandleRules,
    Evaluation,
    Parameters,
    Signal,
    Strategy,
    Value,
    number,
)
from domain.strategies.explanation import Condition


class Breakout(Strategy):
    """Long on a breakout, out again once the close is below the lowest close of the channel."""

    side = Side.BUY
    version = "1"

    def __init__(self, parameters: Parameters, candles: CandleRules) -> None:
        """Read `channel_candles`, the length of the channel."""
        super().__init__(parameters, candles)
        self._closes: deque[float] = deque(maxlen=number(parameters, "channel_candles"))
        """The channel: closes before the newest one."""
        self._close = self._highest = self._lowest = 0.0
        self._signal_ms: int | None = None

    def fold(self, candle: Candle, before_ms: int | None) -> tuple[str, ...]:  # noqa: ARG002
        """Compare the close with the channel, then add it to the channel."""
        self._close = candle.close
        self._highest = max(self._closes, default=candle.close)
        self._lowest = min(self._closes, default=candle.close)
        self._closes.append(candle.close)
        if not (self.is_warm and candle.close > self._highest):
            return ()
        self._signal_ms = candle.close_time_ms
        return ("BREAKOUT",)

    def evaluate(self) -> Evaluation:
        """Return the channel, the regime and the latest breakout."""
        close, lowest = self._close, self._lowest
        above = Condition(
            name="close", figure=close, needs=">= lowest", limit=lowest, holds=close >= lowest
        )
        return Evaluation(
            regime=(above,),
            values=(
                Value(name="highest", label="highest close", figure=self._highest),
                Value(name="lowest", label="lowest close", figure=lowest),
            ),
            signal=self._newest_signal(),
        )

    def _newest_signal(self) -> Signal | None:
        if self._signal_ms is None:
            return None
        return Signal(
            signal_ms=self._signal_ms,
            kinds="BREAKOUT",
            side=self.side,
            strength=self._close / self._highest - 1,
            max_age_ms=2 * self.candles.candle_ms,
        )
