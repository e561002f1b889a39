"""Annual figures of daily returns, the same for backtests and for running systems."""

import math

import numpy as np

from domain.market.indicators import Array

DAYS_PER_YEAR = 365
"""Perpetuals trade every day."""


def sharpe_ratio(returns: Array) -> float | None:
    """Return the annual Sharpe ratio of (n,) daily returns; the risk-free rate is 0."""
    spread = _spread(returns)
    return float(np.mean(returns)) / spread * math.sqrt(DAYS_PER_YEAR) if spread else None


def volatility(returns: Array) -> float | None:
    """Return the annual standard deviation of (n,) daily returns; None with fewer than two."""
    return _spread(returns) * math.sqrt(DAYS_PER_YEAR) if len(returns) > 1 else None


def _spread(returns: Array) -> float:
    return float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0
