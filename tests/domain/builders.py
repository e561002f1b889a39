"""Small makers of the domain's values, so that a test names only what matters to it."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np

from domain.market.candles import CandleSeries, carry_forward
from domain.market.instruments import DAY_MS, MINUTE_MS, Candle, Side
from domain.rules import EntryTerms, TradingRules
from domain.strategies.base import Parameter, Regime, Value
from domain.strategies.ema_cross_short import EmaCrossShort
from domain.strategies.registry import CONFIRMED_TREND_LONG, make_strategy
from domain.trading.decisions import AssetEvaluation, EntrySignal
from domain.trading.orders import ExitReason
from domain.trading.positions import Execution, ExecutionKind, Position, Trade
from infra.settings import load_settings
from infra.settings.sections.terms import asset_rules

SETTINGS = load_settings(None, environ={}, dotenv=None)
RULES = SETTINGS.trading_rules()
"""The shipped numbers, which tests/settings/test_defaults.py holds against the strategy."""
_TREND_TERMS = asset_rules(
    SETTINGS.portfolio.assets[0].model_copy(update={"strategy": CONFIRMED_TREND_LONG}),
    RULES.assets[0].instrument,
    SETTINGS.strategy,
    SETTINGS.confirmed_trend_long,
    SETTINGS.risk,
).terms
TREND, TREND_STOPS = _TREND_TERMS.strategy, _TREND_TERMS.stops
"""Of confirmed_trend_long."""

CANDLE_MS = 5 * MINUTE_MS
NOON_MS = 20_000 * DAY_MS + DAY_MS // 2
"""A close at 12:00 UTC."""


def dec(value: object) -> Decimal:
    return Decimal(str(value))


def changed(
    rules: TradingRules = RULES,
    *,
    strategy: dict[str, Parameter] | None = None,
    stops: dict[str, Any] | None = None,
    **sections: dict[str, Any],
) -> TradingRules:
    """Return the rules with some numbers of some sections changed.

    Args:
        rules: to change.
        strategy: parameters of every asset's strategy.
        stops: numbers of every asset's stop policy.
        sections: numbers of the sections of that name.
    """
    new = {name: replace(getattr(rules, name), **values) for name, values in sections.items()}
    assets = tuple(
        replace(one, terms=_changed_terms(one.terms, strategy or {}, stops or {}))
        for one in rules.assets
    )
    return replace(rules, assets=assets, **new)


def _changed_terms(
    terms: EntryTerms, parameters: dict[str, Parameter], stops: dict[str, Any]
) -> EntryTerms:
    unknown = parameters.keys() - terms.strategy.parameters.keys()
    if unknown:
        message = f"{terms.strategy.name} has no parameters {sorted(unknown)}"
        raise KeyError(message)
    spec = replace(terms.strategy, parameters={**terms.strategy.parameters, **parameters})
    return EntryTerms(strategy=spec, stops=replace(terms.stops, **stops))


def ema_cross(rules: TradingRules = RULES) -> EmaCrossShort:
    """Return the first asset's strategy, before its first candle."""
    found = make_strategy(rules.assets[0].terms.strategy, rules.candles)
    assert isinstance(found, EmaCrossShort)
    return found


def with_trend(asset: str, rules: TradingRules = RULES, **parameters: Parameter) -> TradingRules:
    """Return the rules with an asset under confirmed_trend_long, as the settings ship it."""
    read = replace(TREND, parameters={**TREND.parameters, **parameters})
    terms = EntryTerms(strategy=read, stops=TREND_STOPS)
    return replace(
        rules,
        assets=tuple(
            replace(one, terms=terms, leverage=Decimal(1), allocation_fraction=Decimal("0.05"))
            if one.asset == asset
            else one
            for one in rules.assets
        ),
    )


def candle(t_ms: int, close: float, candle_ms: int = CANDLE_MS, **prices: float) -> Candle:
    """Return a candle that ends at t; a price that is left out is the close."""
    flat = dict.fromkeys(("open", "high", "low"), close)
    return Candle(
        open_time_ms=t_ms - candle_ms,
        close_time_ms=t_ms,
        close=close,
        volume=1.0,
        **{**flat, **prices},
    )


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
    asset: str,
    qty: object,
    price: object,
    t_ms: int = NOON_MS,
    fee: object = 0,
    *,
    side: Side = Side.SELL,
    terms: EntryTerms | None = None,
) -> Execution:
    """Return the fill of an entry decided at t."""
    return fill(
        side,
        qty,
        price,
        asset=asset,
        ts_ms=t_ms,
        fee=fee,
        decided_ms=t_ms,
        signal_ms=t_ms,
        terms=terms,
    )


def short(asset: str, qty: object, price: object, opened_ms: int = NOON_MS) -> Position:
    return position(asset, Side.SELL, qty, price, opened_ms)


def long(asset: str, qty: object, price: object, opened_ms: int = NOON_MS) -> Position:
    return position(asset, Side.BUY, qty, price, opened_ms)


def position(
    asset: str, side: Side, qty: object, price: object, opened_ms: int = NOON_MS
) -> Position:
    return Position(
        asset=asset,
        side=side,
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
    *,
    signal_ms: int = NOON_MS,
    sigma: float = 0.002,
    strength: float = 0.01,
    side: Side = Side.SELL,
) -> EntrySignal:
    return EntrySignal(
        signal_ms=signal_ms,
        kinds="PRICE_BELOW_LONG",
        side=side,
        volatility=sigma,
        strength=strength,
    )


def averages(short: float, long: float, crosses_today: int = 1) -> tuple[Value, ...]:
    """Return the figures of ema_cross_short before its first signal."""
    return (
        Value(name="ema_short", label="EMA 240", figure=short),
        Value(name="ema_long", label="EMA 600", figure=long),
        Value(name="crosses_today", label="crosses today", figure=crosses_today, is_price=False),
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
        values=averages(close, close),
        regime=Regime.ACTIVE,
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
