"""An asset's candles with its strategy's evaluation of each close, folded as by the system."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loguru import logger

from domain.market.instruments import Candle
from domain.rules import AssetRules
from domain.strategies.base import CandleRules, Strategy
from domain.strategies.registry import make_strategy

SHOWN = 2000
"""Number of candles in a chart."""
READ = 20_000
"""Number of candles folded at first: the lines need earlier ones."""


@dataclass(frozen=True, slots=True)
class _Close:
    candle: Candle
    lines: Mapping[str, float]
    """Figures that are prices, by label."""
    is_active: bool
    signal: str
    """Kinds of the signal of this close; empty: there was none."""


class AssetHistory:
    """The newest closes of one asset."""

    def __init__(self, asset: AssetRules, candles: CandleRules) -> None:
        """Start without candles."""
        self.rules = asset
        self._candles = candles
        self._closes: deque[_Close] = deque(maxlen=SHOWN)
        self._strategy: Strategy | None = None
        self.newest_ms = 0
        """Open time of the newest candle."""

    def add(self, candles: Sequence[Candle]) -> None:
        """Fold newer candles, oldest first."""
        for candle in candles:
            if self._is_gap(candle):
                self._closes.clear()
                self._strategy = None
            self.newest_ms = candle.open_time_ms
            self._closes.append(self._fold(candle))

    @property
    def began_ms(self) -> int:
        """Open time of the oldest shown candle; 0 if there is none."""
        return self._closes[0].candle.open_time_ms if self._closes else 0

    def shown(self, since_ms: int) -> dict[str, Any]:
        """Return the closes of candles that opened at or after a time, as columns."""
        closes = [each for each in self._closes if each.candle.open_time_ms >= since_ms]
        names = sorted({name for each in closes for name in each.lines})
        return {
            "candle_ms": self._candles.candle_ms,
            "time": [each.candle.open_time_ms for each in closes],
            **{
                name: [getattr(each.candle, name) for each in closes]
                for name in ("open", "high", "low", "close", "volume")
            },
            "lines": {name: [each.lines.get(name) for each in closes] for name in names},
            "active": list(self._active(closes)),
            "signals": [
                {"time": each.candle.open_time_ms, "price": each.candle.close, "kinds": each.signal}
                for each in closes
                if each.signal
            ],
        }

    def _fold(self, candle: Candle) -> _Close:
        if self._strategy is None:
            self._strategy = make_strategy(self.rules.terms.strategy, self._candles)
        strategy = self._strategy
        try:
            strategy.apply(candle)
            found = strategy.evaluate()
        except Exception as error:  # noqa: BLE001 (the strategy may be the user's own)
            logger.warning("no lines of {}: {!r}", self.rules.asset, error)
            self._strategy = None
            return _Close(candle, {}, is_active=False, signal="")
        signal = found.signal
        return _Close(
            candle,
            {v.label: float(v.figure) for v in found.values if v.is_price},
            is_active=strategy.is_warm and all(each.holds for each in found.regime),
            signal=signal.kinds
            if signal is not None and signal.signal_ms == candle.close_time_ms
            else "",
        )

    def _is_gap(self, candle: Candle) -> bool:
        before_ms = candle.open_time_ms - self._candles.candle_ms
        return bool(self._closes) and before_ms != self.newest_ms

    def _active(self, closes: Sequence[_Close]) -> Iterator[tuple[int, int]]:
        """Yield the spans in which the regime was active."""
        began_ms: int | None = None
        for each in closes:
            if each.is_active and began_ms is None:
                began_ms = each.candle.close_time_ms
            elif not each.is_active and began_ms is not None:
                yield began_ms, each.candle.close_time_ms
                began_ms = None
        if began_ms is not None:
            yield began_ms, closes[-1].candle.close_time_ms
