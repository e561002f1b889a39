"""Random markets and rules under which everything happens that a backtest must get right."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from domain.backtesting.plain_loop import Backtest
from domain.market.candles import CandleSeries, carry_forward
from domain.market.funding import FundingHistory
from domain.market.instruments import DAY_MS, HOUR_MS, MINUTE_MS, exact
from domain.rules import EntryTerms, StopPolicy, TradingRules
from domain.strategies.base import StrategySpec
from domain.strategies.registry import CONFIRMED_TREND_LONG, EMA_CROSS_SHORT
from tests.domain.builders import CANDLE_MS, NOON_MS, RULES, changed

NAMES = ("BTC", "ETH", "SOL")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a random market is made of."""

    seed: int
    candles: int
    volatility: float = 0.003
    common: float = 0.5
    """How far the assets move together, 0 to 1."""
    jumps: float = 0.0
    """How many candles open with a gap, as a fraction."""
    jump_size: float = 0.03
    missing: float = 0.0
    """How many candles are missing, as a fraction."""
    late: bool = False
    """Assets are listed late and end early."""
    flat: float = 0.0
    """How many closes repeat the one before."""
    decimals: int = 2
    assets: int = 3
    has_funding: bool = False


def random_market(recipe: Recipe) -> dict[str, CandleSeries]:
    """Return correlated random walks with gaps, as a recipe says."""
    random = np.random.default_rng(recipe.seed)
    shared = random.standard_t(3, size=recipe.candles)
    shared_jumps = _jumps(random, recipe)
    first_open_ms = NOON_MS - CANDLE_MS * int(random.integers(1, 400))
    return {
        name: _series(random, recipe, shared, shared_jumps, first_open_ms)
        for name in NAMES[: recipe.assets]
    }


def _jumps(random: np.random.Generator, recipe: Recipe) -> np.ndarray:
    size = random.normal(scale=recipe.jump_size, size=recipe.candles)
    return np.where(random.random(recipe.candles) < recipe.jumps, size, 0.0)


def _series(
    random: np.random.Generator,
    recipe: Recipe,
    shared: np.ndarray,
    shared_jumps: np.ndarray,
    first_open_ms: int,
) -> CandleSeries:
    n = recipe.candles
    own = random.standard_t(3, size=n)
    steps = recipe.volatility * (recipe.common * shared + (1 - recipe.common) * own)
    steps[random.random(n) < recipe.flat] = 0.0
    jumps = shared_jumps + _jumps(random, recipe) / 2
    logs = np.clip(np.cumsum(steps + jumps), -4.0, 4.0)
    close = np.round(100.0 * np.exp(logs), recipe.decimals)
    open_ = np.round(np.concatenate([close[:1], close[:-1]]) * np.exp(jumps), recipe.decimals)
    spread = np.abs(random.normal(scale=recipe.volatility, size=(2, n)))
    high = np.round(np.maximum(open_, close) * (1 + spread[0]), recipe.decimals)
    low = np.round(np.minimum(open_, close) * (1 - spread[1]), recipe.decimals)
    kept = random.random(n) >= recipe.missing
    if recipe.late:
        kept[: int(random.integers(0, n // 2))] = False
        kept[n - int(random.integers(0, n // 3)) :] = False
    kept[n // 2] = True
    times = first_open_ms + CANDLE_MS * np.arange(n, dtype=np.int64)
    made = carry_forward(
        times[kept],
        open_[kept],
        np.maximum(high, np.maximum(open_, close))[kept],
        np.minimum(low, np.minimum(open_, close))[kept],
        close[kept],
        np.ones(int(kept.sum())),
        CANDLE_MS,
    )
    if recipe.has_funding:
        object.__setattr__(made, "funding", _funding(random, first_open_ms, n))
    return made


def _funding(random: np.random.Generator, first_open_ms: int, candles: int) -> FundingHistory:
    # Every 4 hours over the middle of the market: outside, the constant stands in.
    first = -(-(first_open_ms + candles // 4 * CANDLE_MS) // (4 * HOUR_MS)) * 4 * HOUR_MS
    times = range(first, first_open_ms + candles // 4 * 3 * CANDLE_MS, 4 * HOUR_MS)
    rates = {time: exact(round(float(random.normal(scale=0.0005)), 7)) for time in times}
    if not rates:
        rates = {first: Decimal("0.0003")}
    return FundingHistory(rates=rates, first_ms=min(rates), last_ms=max(rates))


def lively_rules(**sections: dict[str, Any]) -> TradingRules:
    """Return rules under which a few hundred candles hold dozens of trades and protections.

    Beside the sections of the rules: `strategy` and `stops` of every asset of ema_cross_short,
    `trend` and `trend_stops` of confirmed_trend_long, and `kinds`, which of both each asset has.
    """
    lively: dict[str, dict[str, Any]] = {
        "candles": {"warmup_candles": 30, "volatility_window": 20},
        "approval": {"correlation_limit": 0.9, "max_total_exposure": Decimal(7)},
        "protection": {
            "high_correlation_threshold": 0.8,
            "loss_streak_cooldown_ms": HOUR_MS,
            "emergency_cooldown_ms": HOUR_MS,
        },
        "cooldown": {
            "short_hold_cooldown_ms": 6 * MINUTE_MS,
            "loss_streak_cooldown_ms": 12 * MINUTE_MS,
            "trades_per_day": 30,
        },
    }
    own = {name: sections.pop(name, {}) for name in ("strategy", "stops", "trend", "trend_stops")}
    kinds = dict(zip(NAMES, sections.pop("kinds", ()), strict=False))
    shared = sections.pop("shared", {})
    per_asset = sections.pop("per_asset", {})
    for name, values in sections.items():
        lively[name] = lively.get(name, {}) | values
    terms = {EMA_CROSS_SHORT: _short_terms(own), CONFIRMED_TREND_LONG: _trend_terms(own)}
    assets = tuple(
        replace(
            asset,
            terms=terms[kinds.get(asset.asset, EMA_CROSS_SHORT)],
            **per_asset.get(asset.asset, {}),
        )
        for asset in RULES.assets
    )
    return replace(changed(RULES, **lively), assets=assets, **shared)


def _short_terms(own: Mapping[str, Mapping[str, Any]]) -> EntryTerms:
    parameters = {
        **RULES.assets[0].terms.strategy.parameters,
        "ema_short_period": 5,
        "ema_long_period": 12,
        "cross_threshold": 30,
        **own["strategy"],
    }
    stops = {
        "stop_loss_fraction": Decimal("0.006"),
        "take_profit_fraction": Decimal("0.012"),
        "trail_fraction": None,
        "min_ratchet_fraction": Decimal("0.002"),
        "max_hold_ms": 6 * HOUR_MS,
        **own["stops"],
    }
    return EntryTerms(
        strategy=StrategySpec(name=EMA_CROSS_SHORT, parameters=parameters),
        stops=StopPolicy(**stops),
    )


def _trend_terms(own: Mapping[str, Mapping[str, Any]]) -> EntryTerms:
    parameters = {
        "ema_trigger_period": 4,
        "ema_trend_period": 11,
        "macd_fast_period": 5,
        "macd_slow_period": 9,
        "macd_signal_period": 3,
        "rsi_period": 5,
        "rsi_level": 50.0,
        "entry_confirmation_level": 2,
        "max_entry_wait_candles": 3,
        **own["trend"],
    }
    stops = {
        "stop_loss_fraction": None,
        "take_profit_fraction": None,
        "trail_fraction": Decimal("0.01"),
        "min_ratchet_fraction": Decimal("0.002"),
        "max_hold_ms": None,
        **own["trend_stops"],
    }
    return EntryTerms(
        strategy=StrategySpec(name=CONFIRMED_TREND_LONG, parameters=parameters),
        stops=StopPolicy(**stops),
    )


class Observed(Backtest):
    """The plain loop, which also notes the equity of each close."""

    def __init__(self, candles: dict[str, CandleSeries], rules: TradingRules) -> None:
        super().__init__(candles, rules)
        self.samples: list[tuple[int, Decimal, Decimal]] = []

    def _at_close(self, t_ms: int, candles: Any) -> None:
        super()._at_close(t_ms, candles)
        state = self.portfolio.protection
        self.samples.append((t_ms, state.balance, state.equity))


DAY_CANDLES = DAY_MS // CANDLE_MS
