"""The assets side by side: what each has earned, and their prices from a common start."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from domain.operator import wording as say
from domain.rules import TradingRules
from domain.trading.positions import Trade
from infra.store.reader import FactReader

_TRADES = 5000
_CLOSES = 600
_ZERO = Decimal(0)


def compare(facts: FactReader, rules: TradingRules) -> dict[str, Any]:
    """Return a row for each asset, and its closes as fractions of the first one shown."""
    trades = facts.newest_trades(_TRADES)
    total = sum((trade.pnl for trade in trades), _ZERO)
    own = {a.asset: [t for t in trades if t.asset == a.asset] for a in rules.assets}
    return {
        "rows": [_row(name, found, total) for name, found in own.items()],
        "prices": [_prices(facts, asset.asset) for asset in rules.assets],
    }


def _row(name: str, trades: Sequence[Trade], total: Decimal) -> dict[str, Any]:
    pnl = sum((trade.pnl for trade in trades), _ZERO)
    won = sum((trade.pnl for trade in trades if trade.pnl > 0), _ZERO)
    lost = -sum((trade.pnl for trade in trades if trade.pnl < 0), _ZERO)
    wins = sum(trade.pnl > 0 for trade in trades)
    held_ms = sum(trade.exit_ms - trade.entry_ms for trade in trades)
    return {
        "asset": name,
        "trades": len(trades),
        "pnl": say.gain(pnl),
        "pnl_sign": (pnl > 0) - (pnl < 0),
        "win_rate": say.percent(Decimal(wins) / len(trades)) if trades else "none yet",
        "profit_factor": f"{won / lost:.2f}" if lost else "no loss yet",
        "average": say.gain(pnl / len(trades)) if trades else "none yet",
        "held": say.duration(held_ms // len(trades)) if trades else "none yet",
        "share": say.percent(pnl / total) if total else "none yet",
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
