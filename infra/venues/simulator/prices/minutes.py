"""One-minute candles inside five-minute ones: from trades, or as they may have been."""

import random
from collections.abc import Iterable, Sequence
from decimal import Decimal

from domain.market.instruments import Instrument
from infra.venues.simulator.prices.candles import Kline, Trade, flat
from infra.venues.simulator.prices.generator import CANDLE_MS, Plan
from infra.venues.simulator.prices.paths import path
from infra.venues.simulator.prices.periods import MINUTE_MS

_TICKS = 10
"""Assumed number of trades in a candle whose trades were not kept."""


def minutes_of_trades(opened: Decimal, open_time_ms: int, trades: Iterable[Trade]) -> list[Kline]:
    """Return the minutes of one candle up to its newest trade, oldest first."""
    made = [flat(opened, open_time_ms)]
    for trade in trades:
        while trade.time_ms >= made[-1].open_time_ms + MINUTE_MS:
            made.append(flat(made[-1].close, made[-1].open_time_ms + MINUTE_MS))
        made[-1] = _with(made[-1], trade.price, trade.qty)
    return made


def likely_minutes(kline: Kline, instrument: Instrument, seed: int) -> list[Kline]:
    """Return five one-minute candles that may have made up a candle: always the same ones."""
    plan = Plan(
        open=kline.open, high=kline.high, low=kline.low, close=kline.close, volume=kline.volume
    )
    chance = random.Random(f"{seed}/{instrument.symbol}/{kline.open_time_ms}/minutes")  # noqa: S311
    step_ms = CANDLE_MS // _TICKS
    qty = instrument.round_qty(kline.volume / _TICKS)
    trades = [
        Trade(
            number=i,
            time_ms=kline.open_time_ms + (i + 1) * step_ms - 1,
            price=_on_tick(price, kline, instrument),
            qty=qty if i < _TICKS - 1 else kline.volume - qty * (_TICKS - 1),
            is_buy=True,
        )
        for i, price in enumerate(path(plan, _TICKS, chance))
    ]
    return minutes_of_trades(kline.open, kline.open_time_ms, trades)


def merged(bars: Sequence[Kline], open_time_ms: int) -> Kline:
    """Return the candle that consecutive candles add up to."""
    return Kline(
        open_time_ms=open_time_ms,
        open=bars[0].open,
        high=max(bar.high for bar in bars),
        low=min(bar.low for bar in bars),
        close=bars[-1].close,
        volume=sum((bar.volume for bar in bars[1:]), bars[0].volume),
        turnover=sum((bar.turnover for bar in bars[1:]), bars[0].turnover),
    )


def _with(bar: Kline, price: Decimal, qty: Decimal) -> Kline:
    return Kline(
        open_time_ms=bar.open_time_ms,
        open=bar.open,
        high=max(bar.high, price),
        low=min(bar.low, price),
        close=price,
        volume=bar.volume + qty,
        turnover=bar.turnover + qty * price,
    )


def _on_tick(price: Decimal, kline: Kline, instrument: Instrument) -> Decimal:
    return max(kline.low, min(kline.high, instrument.round_price_down(price)))
