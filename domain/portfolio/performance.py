"""The performance of each asset, and of all together, over the facts of a whole run."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from domain.market.indicators import Array
from domain.market.instruments import Side, utc_day
from domain.market.ratios import sharpe_ratio, volatility
from domain.trading.positions import ZERO, Trade

DAYS = 30
"""Days in a window of the rolling figures, as in a backtest's report."""
_BPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """One asset, or all together. None if not defined: no trade, no fill, no second day."""

    trades: int = 0
    """Closed trades."""
    wins: int = 0
    pnl: Decimal = ZERO
    """PnL of closed trades, quote, net of fees, funding included."""
    average_hold_ms: int | None = None
    sharpe: float | None = None
    """Annual Sharpe ratio of the daily returns of the last `DAYS` UTC days; of an asset: the PnL of
    its closed trades / equity at the start of the day."""
    volatility: float | None = None
    """Annual volatility of the same returns, a fraction."""
    slippage_bps: float | None = None
    """Cost of fills compared with the close of their decision, as a fraction of their notional."""
    fee_bps: float | None = None
    """Fees of all fills / their notional."""
    adverse: float | None = None
    """Mean MAE of closed trades: how far the price went against them / entry price."""
    favorable: float | None = None
    """Mean MFE: how far it went for them."""
    risk_share: float | None = None
    """Covariance of its daily PnL with that of all together / variance of that of all together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performances:
    """The performance of all together, and of each asset that has ever traded."""

    total: Performance = field(default_factory=Performance)
    assets: Mapping[str, Performance] = field(default_factory=dict)
    diversification: float | None = None
    """How much less the daily PnL of all together moves than the sum of the parts, in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One fill, and what it cost."""

    asset: str
    side: Side
    notional: Decimal
    fee: Decimal
    decided_at: Decimal | None
    """Notional at the close of the decision; None if it was not decided at a close."""


class PerformanceBooks:
    """Folds facts, each once, in the order in which they were stored."""

    def __init__(self) -> None:
        """Start without facts."""
        self._trades: defaultdict[str, list[Trade]] = defaultdict(list)
        self._excursions: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        self._fills: defaultdict[str, _Fills] = defaultdict(_Fills)
        self._day_ends: dict[int, float] = {}
        """Newest equity of each UTC day."""
        self._moved: defaultdict[int, float] = defaultdict(float)
        """Payments in less payments out on each UTC day."""

    def add_trade(self, trade: Trade, extremes: tuple[float, float] | None) -> None:
        """Add a closed trade.

        Args:
            trade: any.
            extremes: lowest and highest price while it was open; None: not known.
        """
        self._trades[trade.asset].append(trade)
        if extremes is not None:
            self._excursions[trade.asset].append(excursion(trade, *extremes))

    def add_fill(self, fill: Fill) -> None:
        self._fills[fill.asset].add(fill)

    def add_equity(self, t_ms: int, equity: float) -> None:
        """Add the equity of a close."""
        # A close at midnight belongs to the day that it ends.
        self._day_ends[utc_day(t_ms - 1)] = equity

    def add_transfer(self, t_ms: int, amount: float) -> None:
        """Add a payment into the account, negative: out of it. It is not a gain."""
        self._moved[utc_day(t_ms - 1)] += amount

    def performances(self) -> Performances:
        """Return the figures of everything that was added."""
        days = sorted(self._day_ends)[-DAYS - 1 :]
        levels = np.array([self._day_ends[day] for day in days])
        gains = np.diff(levels) - np.array([self._moved.get(day, 0.0) for day in days[1:]])
        booked = {asset: self._daily_pnl(asset, days) for asset in self._trades}
        assets = sorted({*self._trades, *self._fills})
        shares = risk_shares(booked)
        return Performances(
            total=self._performance(assets, _over(gains, levels), None),
            assets={
                asset: self._performance(
                    [asset], _over(booked.get(asset), levels), shares.get(asset)
                )
                for asset in assets
            },
            diversification=diversification(booked.values()),
        )

    def _performance(
        self, assets: Sequence[str], returns: Array, risk_share: float | None
    ) -> Performance:
        trades = [trade for asset in assets for trade in self._trades.get(asset, ())]
        moves = [move for asset in assets for move in self._excursions.get(asset, ())]
        fills = [self._fills[asset] for asset in assets if asset in self._fills]
        held_ms = sum(trade.exit_ms - trade.entry_ms for trade in trades)
        return Performance(
            trades=len(trades),
            wins=sum(trade.pnl > 0 for trade in trades),
            pnl=sum((trade.pnl for trade in trades), ZERO),
            average_hold_ms=held_ms // len(trades) if trades else None,
            sharpe=sharpe_ratio(returns),
            volatility=volatility(returns),
            slippage_bps=_bps(sum(f.cost for f in fills), sum(f.decided for f in fills)),
            fee_bps=_bps(sum(f.fees for f in fills), sum(f.notional for f in fills)),
            adverse=float(np.mean([adverse for adverse, _ in moves])) if moves else None,
            favorable=float(np.mean([favorable for _, favorable in moves])) if moves else None,
            risk_share=risk_share,
        )

    def _daily_pnl(self, asset: str, days: Sequence[int]) -> Array:
        """Return the (days - 1,) PnL of the trades closed on each day but the first."""
        booked = dict.fromkeys(days, 0.0)
        for trade in self._trades[asset]:
            day = utc_day(trade.exit_ms - 1)
            if day in booked:
                booked[day] += float(trade.pnl)
        return np.array([booked[day] for day in days[1:]])


class _Fills:
    """Sums over the fills of an asset, quote."""

    def __init__(self) -> None:
        self.notional = self.fees = self.decided = self.cost = ZERO

    def add(self, fill: Fill) -> None:
        self.notional += fill.notional
        self.fees += fill.fee
        if fill.decided_at is not None:
            sign = 1 if fill.side is Side.BUY else -1
            self.decided += fill.decided_at
            self.cost += sign * (fill.notional - fill.decided_at)


def excursion(trade: Trade, low: float, high: float) -> tuple[float, float]:
    """Return how far the price went against a trade and for it, fractions of the entry price.

    Args:
        trade: any.
        low: of the candles that closed while it was open.
        high: of the same.
    """
    entry, leaves = float(trade.entry_price), float(trade.exit_price)
    down = max(0.0, 1.0 - min(low, leaves) / entry)
    up = max(0.0, max(high, leaves) / entry - 1.0)
    return (up, down) if trade.side is Side.SELL else (down, up)


def risk_shares(daily_pnl: Mapping[str, Array]) -> dict[str, float]:
    """Return each asset's share of the variance of all together; empty if nothing ever moved.

    Args:
        daily_pnl: (days,) PnL of each asset.
    """
    total = np.sum(list(daily_pnl.values()), axis=0) if daily_pnl else np.zeros(0)
    variance = float(np.var(total)) if len(total) else 0.0
    if not variance:
        return {}
    around = total - total.mean()
    return {
        asset: float(np.mean((pnl - pnl.mean()) * around)) / variance
        for asset, pnl in daily_pnl.items()
    }


def diversification(daily_pnl: Iterable[Array]) -> float | None:
    """Return how much less all together move than the sum of the parts; None: nothing moves."""
    parts = list(daily_pnl)
    alone = float(sum(np.std(pnl) for pnl in parts if len(pnl)))
    return 1.0 - float(np.std(np.sum(parts, axis=0))) / alone if alone else None


def _over(pnl: Array | None, levels: Array) -> Array:
    before = levels[:-1]
    return np.zeros(0) if pnl is None or not np.all(before > 0) else pnl / before


def _bps(cost: Decimal | int, whole: Decimal | int) -> float | None:
    return float(cost / whole * _BPS) if whole else None
