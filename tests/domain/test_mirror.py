"""Longs are mirrored shorts: on a market turned upside down, the mirrored strategy trades alike.

Prices are turned around a constant far above them, and the averages with them, so that each
comparison of the strategy turns exactly. A percentage does not: a stop lies at a part of another
price. The markets therefore stay near the constant, on a grid that is coarse beside what this makes
of a stop: times, quantities and reasons are the same, and prices to that little.
"""

from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtesting.plain_loop import Backtest
from domain.market.candles import CandleSeries
from domain.market.instruments import Candle, Instrument, Side
from domain.rules import TradingRules
from domain.strategies.base import CandleRules, Evaluation, Parameters, Strategy
from domain.strategies.ema_cross_short import EmaCrossShort
from domain.trading.orders import ExitReason
from domain.trading.positions import Trade
from tests.domain.builders import NOON_MS, RULES, changed, series

MIDDLE = 1024.0
"""Prices are multiples of 1/64 near it: turning them loses no bit."""
TICK = Decimal("0.015625")


class EmaCrossLong(Strategy):
    """The short strategy, which is shown every price upside down; its entries are longs."""

    side: ClassVar[Side] = Side.BUY

    def __init__(self, parameters: Parameters, candles: CandleRules) -> None:
        super().__init__(parameters, candles)
        self._turned = EmaCrossShort(parameters, candles)

    def fold(self, candle: Candle, before_ms: int | None) -> tuple[str, ...]:
        """Fold the turned candle."""
        self._turned.t_ms, self._turned.closes_seen = self.t_ms, self.closes_seen
        return self._turned.fold(replace(candle, close=turned(candle.close)), before_ms)

    def evaluate(self) -> Evaluation:
        """Return what the short strategy says, for a long."""
        found = self._turned.evaluate()
        signal = found.signal
        return replace(
            found, signal=None if signal is None else replace(signal, side=Side.BUY), values=()
        )


def turned(price: float) -> float:
    return 2 * MIDDLE - price


def upside_down(market: CandleSeries) -> CandleSeries:
    return series(
        turned_all(market.close),
        int(market.open_time_ms[0]) + market.candle_ms,
        opens=turned_all(market.open),
        highs=turned_all(market.low),
        lows=turned_all(market.high),
    )


def turned_all(prices: np.ndarray) -> list[float]:
    return [turned(price) for price in prices.tolist()]


def rules_of(strategy: str) -> TradingRules:
    """Return rules with equal quantities, whatever the price: the largest order is one unit."""
    rules = changed(
        strategy={"ema_short_period": 3, "ema_long_period": 9, "cross_threshold": 40},
        candles={"warmup_candles": 10, "volatility_window": 20},
        stops={
            "stop_loss_fraction": Decimal("0.0010"),
            "take_profit_fraction": Decimal("0.0030"),
            "trail_fraction": Decimal("0.0008"),
            "min_ratchet_fraction": Decimal("0.0004"),
        },
        approval={"correlation_limit": None, "min_entry_fraction": Decimal("0.0001")},
        fills={"slippage_fraction": Decimal(0), "taker_fee_rate": Decimal(0)},
        cooldown={"short_hold_cooldown_ms": 0, "trades_per_hour": None, "loss_streak": None},
        protection={"loss_streak": None},
    )
    (btc, *_) = rules.assets
    terms = replace(btc.terms, strategy=replace(btc.terms.strategy, name=strategy))
    instrument = Instrument(
        symbol="BTCUSDT",
        qty_step=Decimal(1),
        min_order_qty=Decimal(1),
        tick_size=TICK,
        min_notional=Decimal(5),
        max_market_order_qty=Decimal(1),
    )
    return replace(rules, assets=(replace(btc, terms=terms, instrument=instrument),))


def trades_of(market: CandleSeries, strategy: str) -> list[Trade]:
    return Backtest({"BTC": market}, rules_of(strategy)).run().trades


def random_market(seed: int, length: int = 400) -> CandleSeries:
    """Return a market whose every price is the middle plus a few multiples of eight ticks."""
    random = np.random.default_rng(seed)
    step = 8 / 64
    close = MIDDLE + step * np.cumsum(random.integers(-2, 3, size=length))
    opens = np.concatenate([close[:1], close[:-1]])
    high = np.maximum(opens, close) + step * random.choice([0, 1, 1, 2, 8], size=length)
    low = np.minimum(opens, close) - step * random.choice([0, 1, 1, 2, 8], size=length)
    # Where open and close are equal a path has no mirror image: the low comes first on both sides.
    close = np.where(close == opens, close + step / 2, close)
    return series(
        close.tolist(),
        NOON_MS,
        opens=opens.tolist(),
        highs=np.maximum(high, close).tolist(),
        lows=low.tolist(),
    )


@settings(max_examples=25)
@given(st.integers(0, 500))
def test_turned_market_and_strategy_make_turned_trades(seed: int) -> None:
    market = random_market(seed)

    shorts = trades_of(market, "ema_cross_short")
    longs = trades_of(upside_down(market), f"{__name__}:{EmaCrossLong.__name__}")

    assert {trade.side for trade in longs} <= {Side.BUY}
    assert [(one.entry_ms, one.exit_ms, one.qty, one.reason) for one in longs] == [
        (one.entry_ms, one.exit_ms, one.qty, one.reason) for one in shorts
    ]
    for long, short in zip(longs, shorts, strict=True):
        assert float(long.entry_price) == turned(float(short.entry_price))
        # A percentage of another price, rounded to the tick on each side.
        assert float(long.exit_price) == pytest.approx(turned(float(short.exit_price)), abs=0.05)


def test_these_markets_hold_trades_of_every_kind() -> None:
    reasons = {
        one.reason for seed in range(6) for one in trades_of(random_market(seed), "ema_cross_short")
    }

    assert {ExitReason.STOP_LOSS, ExitReason.TRAILING_STOP, ExitReason.REGIME} <= reasons
    assert RULES.asset("BTC").terms.strategy.name == "ema_cross_short"
