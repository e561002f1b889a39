"""What empyrical-reloaded 0.7.1 says of some series of daily returns.

The library demands a peewee older than ours, so it cannot be installed beside it. In an
environment of its own (`bin/bench --peers` makes one) this file prints its figures anew:

    .venv-peers/bin/python -m tests.backtesting.library_figures
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class LibraryFigures:
    """A series by what it is made of, and the library's figures, 365 periods a year."""

    seed: int
    days: int
    mean: float
    sharpe: float
    sortino: float
    max_drawdown: float
    cagr: float
    calmar: float


LIBRARY_FIGURES = [
    LibraryFigures(
        seed=1,
        days=365,
        mean=0.001,
        sharpe=-1.0649275432963203,
        sortino=-1.4501222451571487,
        max_drawdown=-0.4346452021415199,
        cagr=-0.3490823482496159,
        calmar=-0.8031432224022461,
    ),
    LibraryFigures(
        seed=2,
        days=730,
        mean=-0.0005,
        sharpe=-1.2820600853506794,
        sortino=-1.7570742287400853,
        max_drawdown=-0.7164813704823209,
        cagr=-0.4312358927358745,
        calmar=-0.6018801192912736,
    ),
    LibraryFigures(
        seed=3,
        days=90,
        mean=0.0,
        sharpe=-1.0221563599068595,
        sortino=-1.3746416817267184,
        max_drawdown=-0.19668371248922437,
        cagr=-0.4016883198359814,
        calmar=-2.0423059680551257,
    ),
]


def daily_walk(known: LibraryFigures) -> np.ndarray:
    """Return the daily returns that the figures are about."""
    random = np.random.default_rng(known.seed)
    return np.round(random.normal(known.mean, 0.02, known.days), 6)


if __name__ == "__main__":
    import empyrical

    for known in LIBRARY_FIGURES:
        returns = daily_walk(known)
        print(  # noqa: T201
            known.seed,
            {
                "sharpe": float(empyrical.sharpe_ratio(returns, annualization=365)),
                "sortino": float(empyrical.sortino_ratio(returns, annualization=365)),
                "max_drawdown": float(empyrical.max_drawdown(returns)),
                "cagr": float(empyrical.cagr(returns, annualization=365)),
                "calmar": float(empyrical.calmar_ratio(returns, annualization=365)),
            },
        )
