"""Whose part what is open has in the risk of all, and what spreading saves."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from domain.market.indicators import Array
from domain.market.instruments import DAY_MS
from domain.market.ratios import DAYS_PER_YEAR


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskPart:
    """One open position. Amounts are quote, a year."""

    asset: str
    notional: float
    """At the newest price; negative is short."""
    volatility: float
    """Annual standard deviation of the asset's returns, a fraction."""
    alone: float
    """What the position would move by, were it the only one."""
    share: float
    """Of the variance of all; the shares add up to 1, and that of a hedge is negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """All that is open together."""

    parts: Sequence[RiskPart]
    volatility: float
    """What all together move by in a year, quote."""

    @property
    def alone(self) -> float:
        """Sum of what the positions would move by, each alone."""
        return sum(part.alone for part in self.parts)

    @property
    def diversification(self) -> float | None:
        """How much less all move than the sum of the parts, in [0, 1]; None: nothing moves."""
        return 1.0 - self.volatility / self.alone if self.alone else None


def attribute(
    notionals: Mapping[str, float], returns: Mapping[str, Array], candle_ms: int
) -> Attribution | None:
    """Return the parts of what is open; None where nothing is, or where nothing ever moved.

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
