"""Shares of the open positions in the portfolio's risk, and what diversification saves."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from domain.market.indicators import Array
from domain.market.instruments import DAY_MS
from domain.market.ratios import DAYS_PER_YEAR


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskPart:
    """One open position. Amounts are quote per year."""

    asset: str
    notional: float
    """At the newest price; negative is short."""
    volatility: float
    """Annual standard deviation of the asset's returns, a fraction."""
    alone: float
    """Its annual movement if it were the only position."""
    share: float
    """Share of the portfolio's variance; shares add up to 1, and that of a hedge is negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """All open positions together."""

    parts: Sequence[RiskPart]
    volatility: float
    """Annual movement of all together, quote."""

    @property
    def alone(self) -> float:
        """Sum of the positions' annual movements, each alone."""
        return sum(part.alone for part in self.parts)

    @property
    def diversification(self) -> float | None:
        """Fraction by which all together move less than the sum of the parts; None: none moves."""
        return 1.0 - self.volatility / self.alone if self.alone else None


def attribute(
    notionals: Mapping[str, float], returns: Mapping[str, Array], candle_ms: int
) -> Attribution | None:
    """Return the shares of the open positions; None if nothing is open, or nothing ever moved.

    Args:
        notionals: signed, quote, by asset.
        returns: (n,) log returns of each of them to the same closes.
        candle_ms: from one close to the next.
    """
    names = [name for name in notionals if len(returns.get(name, ())) > 1]
    if not names:
        return None
    held = np.array([notionals[name] for name in names])
    covariance = np.atleast_2d(np.cov(np.array([returns[name] for name in names])))
    variance = float(held @ covariance @ held)
    if variance <= 0.0:
        return None
    year = math.sqrt(DAYS_PER_YEAR * DAY_MS / candle_ms)
    spreads = np.sqrt(np.diag(covariance)) * year
    shares = held * (covariance @ held) / variance
    return Attribution(
        parts=[
            RiskPart(
                asset=name,
                notional=float(held[index]),
                volatility=float(spreads[index]),
                alone=float(abs(held[index]) * spreads[index]),
                share=float(shares[index]),
            )
            for index, name in enumerate(names)
        ],
        volatility=math.sqrt(variance) * year,
    )
