"""The figures for Prometheus: base units, `_total` for counters, timestamps instead of ages.

A timestamp keeps aging when sampling stops; an age would stand still, and look healthy. Unknown
figures have no sample.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product, starmap
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.portfolio.snapshots import PortfolioSnapshot
from domain.trading.decisions import DenialReason
from domain.trading.orders import Purpose
from infra.operator.health.families import Values, counter, gauge, one
from infra.operator.health.figures import Figures
from infra.operator.health.performance_metrics import performance_metrics
from infra.operator.health.readiness import why_not_ready
from infra.venues.bybit.http.meter import BUCKETS_S, Result
from infra.venues.bybit.limits import Kind

CONTENT_TYPE = CONTENT_TYPE_LATEST
_MS_PER_S = 1000


class MetricsPage:
    """The `/metrics` page of the newest sample."""

    def __init__(self, figures: Callable[[], Figures | None]) -> None:
        """Start without figures.

        Args:
            figures: returns the newest ones; None before the first sample.
        """
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(_FiguresCollector(figures))

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _FiguresCollector(Collector):
    def __init__(self, figures: Callable[[], Figures | None]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures()
        if figures is not None:
            yield from _system(figures)
            yield from _actors(figures)
            yield from _connections(figures)
            yield from _money(figures)
            yield from _orders(figures)
            yield from performance_metrics(figures)


def _system(figures: Figures) -> Iterator[Metric]:
    machine = figures.machine
    yield gauge("trading_info", "The mode, always 1.", [((figures.mode,), 1)], "mode")
    yield one("trading_sample_timestamp_seconds", "When these figures were sampled.", figures.at_s)
    yield one(
        "trading_ready",
        "1 if all assets can be traded, as /readyz says.",
        not why_not_ready(figures),
    )
    yield one("trading_threads", "Threads of the process.", machine.threads)
    yield one(
        "trading_process_cpu_ratio",
        "CPU of this process, as a fraction of one core.",
        machine.process_cpu_fraction,
    )
    yield one(
        "trading_machine_cpu_ratio",
        "CPU of the machine, as a fraction of all cores.",
        machine.cpu_fraction,
    )
    yield one(
        "trading_machine_memory_ratio",
        "Memory in use, as a fraction of the machine's.",
        machine.memory_fraction,
    )
    yield one(
        "trading_disk_size_bytes",
        "Size of the disk that holds the journal.",
        machine.disk_size_bytes,
    )
    yield one("trading_disk_free_bytes", "Free space on that disk.", machine.disk_free_bytes)
    yield one(
        "trading_journal_size_bytes", "Size of the journal, with its log.", figures.journal_bytes
    )
    yield one(
        "trading_journal_connections", "Open connections to the journal.", figures.connections
    )
    yield one("trading_trace_size_bytes", "Size of the traces that are kept.", figures.trace_bytes)
    if figures.backup is not None:
        yield one(
            "trading_backup_complete_timestamp_seconds",
            "When the backup was last complete; the start, if it never had.",
            figures.backup.complete_s,
        )


def _actors(figures: Figures) -> Iterator[Metric]:
    actors = figures.actors
    yield gauge(
        "trading_actor_running",
        "1 if an actor is running, 0 if it is starting, waits for its restart, or was given up.",
        (((a.address,), a.is_running) for a in actors),
        "actor",
    )
    yield gauge(
        "trading_actor_given_up",
        "1 if an actor failed too often and was given up.",
        (((a.address,), a.is_given_up) for a in actors),
        "actor",
    )
    yield counter(
        "trading_actor_restarts_total",
        "Restarts of an actor.",
        (((a.address,), a.restarts) for a in actors),
        "actor",
    )
    yield gauge(
        "trading_mailbox_messages",
        "Messages that wait for an actor.",
        (((a.address,), a.depth) for a in actors),
        "actor",
    )
    yield gauge(
        "trading_mailbox_oldest_age_seconds",
        "How long the oldest of them has waited; 0 if none waits.",
        (((a.address,), a.oldest_s) for a in actors),
        "actor",
    )
    yield counter(
        "trading_dead_letters_total",
        "Messages that will not be handled.",
        [((), figures.dead_letters)],
    )


def _connections(figures: Figures) -> Iterator[Metric]:
    yield gauge(
        "trading_feed_last_data_timestamp_seconds",
        "When data about an asset's candles last arrived, whether closed or not.",
        (
            ((a.asset,), figures.at_s - a.feed_age_s)
            for a in figures.assets
            if a.feed_age_s is not None
        ),
        "asset",
    )
    yield gauge(
        "trading_last_candle_timestamp_seconds",
        "When the latest candle with a decision closed, in this machine's time.",
        (
            ((a.asset,), figures.at_s - a.candle_age_s)
            for a in figures.assets
            if a.candle_age_s is not None
        ),
        "asset",
    )
    yield gauge(
        "trading_stream_connected",
        "1 if a stream is connected and has a topic.",
        (((s.name,), bool(s.live)) for s in figures.streams),
        "stream",
    )
    yield counter(
        "trading_stream_connects_total",
        "Connections that a stream has made; all but the first are reconnects.",
        (((s.name,), s.connects) for s in figures.streams),
        "stream",
    )
    yield counter(
        "trading_refused_total",
        "Data from outside that could not be read, or were not for us, by source.",
        [
            *figures.refused.items(),
            *(((s.name, why), n) for s in figures.streams for why, n in s.drops.items()),
        ],
        "source",
        "kind",
    )
    yield counter(
        "trading_rest_requests_total",
        "Requests to the exchange by kind and result: ok, refused, or silent (no answer).",
        _with_zeros(
            product(map(str.lower, Kind), Result),
            {(k.lower(), result): n for (k, result), n in figures.requests.counts.items()},
        ),
        "kind",
        "result",
    )
    yield HistogramMetricFamily(
        "trading_rest_request_duration_seconds",
        "Time a request to the exchange took, without waiting for the rate limit.",
        buckets=list(zip([*map(str, BUCKETS_S), "+Inf"], figures.requests.buckets, strict=True)),
        sum_value=figures.requests.sum_s,
    )
    yield counter(
        "trading_control_requests_total",
        "Requests to the control interface by HTTP status.",
        (((str(status),), n) for status, n in figures.accesses.items()),
        "status",
    )
    if figures.clock_offset_s is not None:
        yield one(
            "trading_clock_offset_seconds",
            "The exchange's time minus the machine's; simulated at another speed, its change.",
            figures.clock_offset_s,
        )


def _money(figures: Figures) -> Iterator[Metric]:
    portfolio = figures.portfolio
    if portfolio is None:
        return
    texts: Mapping[str, tuple[str, float]] = {
        "trading_balance_usdt": ("Wallet balance.", float(portfolio.balance)),
        "trading_equity_usdt": (
            "Wallet balance plus unrealized PnL.",
            float(portfolio.equity),
        ),
        "trading_exposure_usdt": (
            "Sum of the notionals of all positions.",
            float(portfolio.exposure),
        ),
        "trading_drawdown_ratio": (
            "Drop of the equity from its peak, as a fraction of the peak.",
            float(portfolio.drawdown),
        ),
        "trading_daily_loss_ratio": (
            "Loss since the UTC day began, as a fraction of the equity then; negative: a gain.",
            float(portfolio.daily_loss),
        ),
        "trading_realized_pnl_usdt": (
            "Sum of all trades, fees and funding included.",
            float(portfolio.realized_pnl),
        ),
        "trading_unrealized_pnl_usdt": (
            "Of the open positions.",
            float(portfolio.unrealized_pnl),
        ),
        "trading_halted": ("1 after a halt, until the operator's rearm.", portfolio.is_halted),
        "trading_panicked": (
            "1 in a panic, until the operator's rearm.",
            portfolio.panic_since_ms is not None,
        ),
        "trading_paused_assets": (
            "Assets that the operator has paused.",
            len(portfolio.paused),
        ),
        "trading_suspended_assets": (
            "Assets that open nothing because their actor was given up or their books differ.",
            len(portfolio.suspended),
        ),
        "trading_malfunctions": ("Number of current malfunctions.", len(portfolio.malfunctions)),
        "trading_reduced": ("1 if new entries are reduced in size.", portfolio.is_reduced),
        "trading_global_cooldown_end_timestamp_seconds": (
            "End of the portfolio's cooldown, in the exchange's time; 0: none yet.",
            portfolio.global_cooldown_end_ms / _MS_PER_S,
        ),
    }
    yield from starmap(one, ((name, text, value) for name, (text, value) in texts.items()))
    yield gauge(
        "trading_position_notional_usdt",
        "Value of an open position at its newest price, negative for a short.",
        _notionals(portfolio),
        "asset",
    )


def _orders(figures: Figures) -> Iterator[Metric]:
    books, assets = figures.books, [asset.asset for asset in figures.assets]
    if all(asset.is_unprotected is not None for asset in figures.assets):
        yield one("trading_positions_without_stop", "Must be 0.", figures.unprotected)
    yield one(
        "trading_unknown_orders",
        "Orders that the exchange may or may not have accepted.",
        books.unknown_orders,
    )
    yield counter(
        "trading_trades_total",
        "Closed trades by asset and result: won or lost.",
        _with_zeros(
            product(assets, ("won", "lost")),
            {(asset, "won" if won else "lost"): n for (asset, won), n in books.trades.items()},
        ),
        "asset",
        "result",
    )
    yield counter(
        "trading_orders_total",
        "Orders that were intended, by asset and purpose.",
        _with_zeros(product(assets, Purpose), books.orders),
        "asset",
        "purpose",
    )
    yield counter(
        "trading_refusals_total",
        "Entries that were refused, by reason.",
        _with_zeros(
            product(map(str.lower, DenialReason)),
            {(reason.lower(),): n for reason, n in books.refusals.items()},
        ),
        "reason",
    )


def _notionals(portfolio: PortfolioSnapshot) -> Values:
    for asset, position in portfolio.positions.items():
        price = portfolio.prices.get(asset, position.avg_entry_price)
        yield (asset,), float(position.signed_qty * price)


def _with_zeros(labels: Iterable[tuple[str, ...]], counts: Mapping[Any, int]) -> Values:
    # `increase` misses the first event of a counter that first appears with it.
    return (dict.fromkeys(labels, 0) | dict(counts)).items()
