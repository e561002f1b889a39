"""The assets side by side: their results, and their prices from a common start."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from domain.operator import wording as say
from domain.operator.performance import UNKNOWN
from domain.rules import TradingRules
from domain.trading.positions import Trade
from infra.store.reader import FactReader

_TRADES = 5000
_CLOSES = 600
_ZERO = Decimal(0)


def compare(facts: FactReader, rules: TradingRules) -> dict[str, Any]:
    """Return a row for the total and each asset; closes as fractions of the first one shown."""
    trades = facts.newest_trades(_TRADES)
    own = {a.asset: [t for t in trades if t.asset == a.asset] for a in rules.assets}
    return {
        "rows": [_row("all", trades), *(_row(name, found) for name, found in own.items())],
        "prices": [_prices(facts, asset.asset) for asset in rules.assets],
    }


def _row(name: str, trades: Sequence[Trade]) -> dict[str, Any]:
    pnl = sum((trade.pnl for trade in trades), _ZERO)
    won = sum((trade.pnl for trade in trades if trade.pnl > 0), _ZERO)
    lost = -sum((trade.pnl for trade in trades if trade.pnl < 0), _ZERO)
    return {
        "asset": name,
        "profit_factor": f"{won / lost:.2f}" if lost else UNKNOWN,
        "average": say.gain(pnl / len(trades)) if trades else UNKNOWN,
        "fees": say.usdt(sum((trade.fees for trade in trades), _ZERO)),
    }


def _prices(facts: FactReader, name: str) -> dict[str, Any]:
    candles = facts.candles_after(name, 0, _CLOSES)
    first = candles[0].close if candles else 1.0
    return {
        "asset": name,
        "time": [candle.close_time_ms for candle in candles],
        "growth": [candle.close / first - 1 for candle in candles],
    }
