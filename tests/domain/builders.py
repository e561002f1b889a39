"""Small makers of the domain's values, so that a test names only what matters to it."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np

from domain.market.candles import CandleSeries, carry_forward
from domain.market.instruments import DAY_MS, MINUTE_MS, Side
from domain.rules import TradingRules
from domain.strategies.base import Regime
from domain.trading.decisions import AssetEvaluation, EntrySignal
from domain.trading.orders import ExitReason
from domain.trading.positions import Execution, ExecutionKind, Position, Trade
from infra.settings import load_settings

RULES = load_settings(None, environ={}, dotenv=None).trading_rules()
"""The shipped numbers, which tests/settings/test_defaults.py holds against the strategy."""

CANDLE_MS = 5 * MINUTE_MS
NOON_MS = 20_000 * DAY_MS + DAY_MS // 2
"""A close at 12:00 UTC."""


def dec(value: object) -> Decimal:
    return Decimal(str(value))


def changed(rules: TradingRules = RULES, **sections: dict[str, Any]) -> TradingRules:
    """Return the rules with some numbers of some sections changed."""
    new = {name: replace(getattr(rules, name), **values) for name, values in sections.items()}
    return replace(rules, **new)


def fill(
    side: Side,
    qty: object,
    price: object,
    *,
    asset: str = "BTC",
    ts_ms: int = NOON_MS,
    fee: object = 0,
    **fields: Any,
) -> Execution:
    return Execution(
        exec_id=f"{asset}-{ts_ms}-{side}",
        asset=asset,
        ts_ms=ts_ms,
        kind=ExecutionKind.TRADE,
        side=side,
        qty=dec(qty),
        price=dec(price),
        fee=dec(fee),
        **fields,
    )


def funding(amount: object, *, asset: str = "BTC", ts_ms: int = NOON_MS) -> Execution:
    return Execution(
        exec_id=f"{asset}-{ts_ms}-funding",
        asset=asset,
        ts_ms=ts_ms,
        kind=ExecutionKind.FUNDING,
        side=Side.SELL,
        qty=Decimal(1),
        price=Decimal(100),
        funding=dec(amount),
    )


def entry(
    asset: str, qty: object, price: object, t_ms: int = NOON_MS, fee: object = 0
) -> Execution:
    """Return the fill of an entry decided at t."""
    return fill(
        Side.SELL, qty, price, asset=asset, ts_ms=t_ms, fee=fee, decided_ms=t_ms, signal_ms=t_ms
    )


def short(asset: str, qty: object, price: object, opened_ms: int = NOON_MS) -> Position:
    return Position(
        asset=asset,
        side=Side.SELL,
        qty=dec(qty),
        opened_ms=opened_ms,
        decided_ms=opened_ms,
        signal_ms=opened_ms,
        open_notional=dec(qty) * dec(price),
        entry_qty=dec(qty),
        entry_notional=dec(qty) * dec(price),
    )


def trade(
    pnl: object = 1,
    *,
    exit_ms: int = NOON_MS,
    held_ms: int = DAY_MS,
    asset: str = "BTC",
    fees: object = 0,
    funding: object = 0,
    reason: ExitReason = ExitReason.REGIME,
) -> Trade:
    return Trade(
        asset=asset,
        side=Side.SELL,
        entry_ms=exit_ms - held_ms,
        exit_ms=exit_ms,
        qty=Decimal(1),
        entry_price=Decimal(100),
        exit_price=Decimal(100) - dec(pnl),
        fees=dec(fees),
        funding=dec(funding),
        pnl=dec(pnl),
        reason=reason,
        decided_ms=exit_ms,
    )


def signal(
    *, signal_ms: int = NOON_MS, sigma: float = 0.002, strength: float = 0.01
) -> EntrySignal:
    return EntrySignal(
        signal_ms=signal_ms,
        crosses="PRICE_BELOW_LONG",
        volatility=sigma,
        regime_strength=strength,
    )


def report(
    asset: str,
    close: float = 100.0,
    *,
    t_ms: int = NOON_MS,
    signal: EntrySignal | None = None,
    strategy_exit: ExitReason | None = None,
) -> AssetEvaluation:
    return AssetEvaluation(
        asset=asset,
        t_ms=t_ms,
        close=close,
        ema_short=close,
        ema_long=close,
        regime=Regime.ACTIVE,
        crosses_today=1,
        strategy_exit=strategy_exit,
        signal=signal,
    )


def series(
    closes: Sequence[float],
    first_close_ms: int = NOON_MS,
    *,
    opens: Sequence[float] | None = None,
    highs: Sequence[float] | None = None,
    lows: Sequence[float] | None = None,
    candle_ms: int = CANDLE_MS,
) -> CandleSeries:
    """Return candles that each open where the last one closed, where no opens are given."""
    close = np.array(closes, dtype=np.float64)
    open_ = np.concatenate([close[:1], close[:-1]]) if opens is None else np.array(opens, float)
    high = np.maximum(open_, close) if highs is None else np.array(highs, float)
    low = np.minimum(open_, close) if lows is None else np.array(lows, float)
    times = first_close_ms - candle_ms + candle_ms * np.arange(len(close), dtype=np.int64)
    return carry_forward(times, open_, high, low, close, np.ones(len(close)), candle_ms)
