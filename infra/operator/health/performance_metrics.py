"""The performance of each asset, and its link to the exchange; `all` stands for the total."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal

from prometheus_client.metrics_core import Metric

from domain.portfolio.performance import Performance
from infra.operator.health.families import Values, gauge
from infra.operator.health.figures import Figures

ALL = "all"
_Figure = Callable[[Performance], float | None]
_BPS = 10_000
_MS_PER_S = 1000
_PERFORMANCE: Mapping[str, tuple[str, _Figure]] = {
    "trading_performance_win_ratio": (
        "Closed trades that won, as a fraction of all.",
        lambda each: each.wins / each.trades if each.trades else None,
    ),
    "trading_performance_hold_seconds": (
        "Mean holding time of closed trades.",
        lambda each: None if each.average_hold_ms is None else each.average_hold_ms / _MS_PER_S,
    ),
    "trading_performance_sharpe_ratio": (
        "Annualized Sharpe ratio of the last 30 days.",
        lambda each: each.sharpe,
    ),
    "trading_performance_volatility_ratio": (
        "Annualized volatility of the returns of the last 30 days.",
        lambda each: each.volatility,
    ),
    "trading_performance_slippage_ratio": (
        "Cost of fills compared with the close of the decision, as a fraction of their notional.",
        lambda each: None if each.slippage_bps is None else each.slippage_bps / _BPS,
    ),
    "trading_performance_fee_ratio": (
        "Fees, as a fraction of the notional of all fills.",
        lambda each: None if each.fee_bps is None else each.fee_bps / _BPS,
    ),
    "trading_performance_adverse_ratio": (
        "Mean MAE of closed trades, as a fraction of the entry price.",
        lambda each: each.adverse,
    ),
    "trading_performance_favorable_ratio": (
        "Mean MFE of closed trades, as a fraction of the entry price.",
        lambda each: each.favorable,
    ),
}


def performance_metrics(figures: Figures) -> Iterator[Metric]:
    """Yield the figures of the total and of each asset that has traded."""
    found = {ALL: figures.performance.total, **figures.performance.assets}
    for name, (text, figure) in _PERFORMANCE.items():
        values = ((asset, figure(each)) for asset, each in found.items())
        yield gauge(name, text, _known(values), "asset")
    yield from _money(figures)
    yield from _links(figures)


def _money(figures: Figures) -> Iterator[Metric]:
    made = figures.money
    if made is None:
        return
    pairs = made.pairs
    yield gauge(
        "trading_performance_pnl_usdt",
        "Realized and unrealized PnL, fees and funding included.",
        _known(
            [(ALL, made.total_pnl), *((asset, pair.total_pnl) for asset, pair in pairs.items())]
        ),
        "asset",
    )
    yield gauge(
        "trading_performance_contribution_ratio",
        "Share of an asset in the total PnL.",
        _known((asset, pair.contribution) for asset, pair in pairs.items()),
        "asset",
    )
    returns = ((asset, pair.unrealized_return) for asset, pair in pairs.items())
    yield gauge(
        "trading_performance_unrealized_return_ratio",
        "Unrealized PnL, as a fraction of the deployed capital.",
        _known([(ALL, made.unrealized_return), *returns]),
        "asset",
    )


def _links(figures: Figures) -> Iterator[Metric]:
    links = figures.links
    yield gauge(
        "trading_asset_stream_connected",
        "1 if a stream connection carries the candles of an asset.",
        (((asset,), link.is_streaming) for asset, link in links.items()),
        "asset",
    )
    yield gauge(
        "trading_asset_orders_per_minute",
        "Orders of an asset over the last minute.",
        (((asset,), link.orders_per_minute) for asset, link in links.items()),
        "asset",
    )
    yield gauge(
        "trading_asset_request_seconds",
        "Duration of the latest requests about an asset: median and 99th percentile.",
        (
            ((asset, rank), found_ms / _MS_PER_S)
            for asset, link in links.items()
            for rank, found_ms in (("p50", link.request_p50_ms), ("p99", link.request_p99_ms))
            if found_ms is not None
        ),
        "asset",
        "rank",
    )


def _known(values: Iterable[tuple[str, float | Decimal | None]]) -> Values:
    return (((asset,), float(value)) for asset, value in values if value is not None)
