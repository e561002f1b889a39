"""Volatility and correlation of all assets by the journal's candles: now, and over time."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from domain.market.indicators import Array, correlation, deviations, volatility
from domain.market.instruments import DAY_MS, exact
from domain.market.ratios import DAYS_PER_YEAR
from domain.operator import wording as say
from domain.portfolio.attribution import attribute
from domain.rules import TradingRules
from infra.store.reader import FactReader

_HISTORY, _EVERY = 576, 12
"""Number of closes looked back, and the step between computed ones."""


def correlations(facts: FactReader, rules: TradingRules) -> dict[str, Any]:
    """Return the matrix at the newest common close; over time its mean, and volatilities.

    The window is the portfolio's own. Volatilities are annual, as fractions.
    """
    window = rules.candles.volatility_window
    names = [asset.asset for asset in rules.assets]
    times, returns = _returns(facts, names, window + _HISTORY)
    newest = returns[:, -window:] if len(times) >= window else returns[:0]
    deviating = [deviations(each) for each in newest]
    ends = list(range(len(times), window - 1, -_EVERY))[::-1]
    spans = [returns[:, end - window : end] for end in ends]
    year = math.sqrt(DAYS_PER_YEAR * DAY_MS / rules.candles.candle_ms)
    return {
        "assets": names,
        "window": window,
        "matrix": [[correlation(one, other) for other in deviating] for one in deviating],
        "time": [int(times[end - 1]) for end in ends],
        "mean": [_mean(span) for span in spans],
        "volatility": {
            name: [volatility(span[place]) * year for span in spans]
            for place, name in enumerate(names)
        },
    }


def attribution(
    facts: FactReader, rules: TradingRules, notionals: Mapping[str, float]
) -> dict[str, Any] | None:
    """Return the share of each open position in the total risk, with the portfolio's window.

    Args:
        facts: of the run.
        rules: of the run.
        notionals: of open positions, signed, quote.
    """
    names = [asset.asset for asset in rules.assets if asset.asset in notionals]
    _, returns = _returns(facts, names, rules.candles.volatility_window)
    found = attribute(notionals, dict(zip(names, returns, strict=True)), rules.candles.candle_ms)
    if found is None:
        return None
    saved = found.diversification
    return {
        "window": returns.shape[1],
        "parts": [
            {
                "asset": part.asset,
                "notional": say.usdt(exact(part.notional)),
                "volatility": f"{part.volatility:.1%}",
                "alone": say.usdt(exact(part.alone)),
                "share": part.share,
            }
            for part in sorted(found.parts, key=lambda part: -part.share)
        ],
        "alone": say.usdt(exact(found.alone)),
        "volatility": say.usdt(exact(found.volatility)),
        "diversification": "none" if saved is None else f"{max(0.0, saved):.0%}",
    }


def _returns(facts: FactReader, names: list[str], count: int) -> tuple[Array, Array]:
    """Return close times common to all assets, (n,), and the log returns to them, (assets, n)."""
    closes = []
    for name in names:
        candles = facts.candles_after(name, 0, count + 1)
        closes.append({candle.close_time_ms: candle.close for candle in candles})
    common = sorted(set.intersection(*(set(each) for each in closes))) if closes else []
    prices = np.array([[each[time] for time in common] for each in closes], dtype=np.float64)
    if len(common) <= 1:
        return np.zeros(0), np.zeros((len(names), 0))
    return np.array(common[1:], dtype=np.float64), np.diff(np.log(prices), axis=1)


def _mean(returns: Array) -> float | None:
    """Return the mean correlation of all pairs that have one; None: none has."""
    moving = returns[np.ptp(returns, axis=1) > 0.0]
    if len(moving) <= 1:
        return None
    found = np.corrcoef(moving)[np.triu_indices(len(moving), k=1)]
    return float(found.mean())
