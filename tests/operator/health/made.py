"""Figures of a healthy system, to be changed by tests."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from domain.market.instruments import Side
from domain.operator.system import ActorState, VenueLink
from domain.portfolio.metrics import metrics
from domain.portfolio.performance import Performance, Performances
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.trading.positions import Position
from infra.net.stream_stats import Tally
from infra.operator.health.figures import AssetFigures, BackupFigures, Figures
from infra.operator.health.machine import Machine
from infra.settings import load_settings
from infra.store.books import Books
from infra.venues.bybit.http.meter import RequestMeter, Result
from infra.venues.bybit.limits import Kind

MACHINE = Machine(
    cpu_fraction=0.25,
    process_cpu_fraction=0.1,
    memory_fraction=0.5,
    process_memory_bytes=120_000_000,
    threads=31,
    disk_free_bytes=60,
    disk_size_bytes=100,
)
ACTOR = ActorState(
    address="asset/BTC", is_running=True, is_given_up=False, restarts=2, depth=3, oldest_s=0.25
)
ASSET = AssetFigures(
    asset="BTC",
    feed_age_s=1.5,
    last_candle_ms=1_744_802_700_000,
    candle_age_s=1.25,
    is_unprotected=False,
)
POSITION = Position(
    asset="BTC",
    side=Side.SELL,
    qty=Decimal("0.1"),
    opened_ms=1_744_802_700_000,
    decided_ms=1_744_802_700_000,
    signal_ms=1_744_802_400_000,
    open_notional=Decimal(8000),
    entry_qty=Decimal("0.1"),
    entry_notional=Decimal(8000),
)
PORTFOLIO = PortfolioSnapshot(
    balance=Decimal(10_000),
    equity=Decimal(10_100),
    exposure=Decimal(8000),
    drawdown=Decimal("0.03"),
    daily_loss=Decimal("-0.01"),
    positions={"BTC": POSITION},
    prices={"BTC": Decimal(79_000)},
    global_cooldown_end_ms=0,
    is_halted=False,
    is_reduced=True,
    trades=3,
    realized_pnl=Decimal("-12.5"),
)
MONEY = metrics(PORTFOLIO, load_settings(None, environ={}, dotenv=None).trading_rules())
LINK = VenueLink(
    asset="BTC",
    is_streaming=True,
    orders_per_minute=0.5,
    request_p50_ms=20.0,
    request_p99_ms=400.0,
)
BOOKS = Books(
    trades={("BTC", True): 1, ("BTC", False): 2},
    orders={("BTC", "entry"): 3, ("BTC", "exit"): 3},
    refusals={"EXPOSURE": 4},
    unknown_orders=1,
)


def meter() -> RequestMeter:
    """Return a meter of three requests."""
    made = RequestMeter(lambda: 0.0)
    made.note(Kind.READ, Result.OK, 0.02)
    made.note(Kind.READ, Result.OK, 0.03)
    made.note(Kind.ENTRY, Result.SILENT, 0.4)
    return made


def tally() -> Tally:
    """Return the counters of a stream that was connected twice."""
    made = Tally("public stream 1")
    made.attempts, made.connects, made.live = 3, 2, frozenset({"kline.5.BTCUSDT"})
    made.drop("not JSON")
    return made


def figures(**changes: Any) -> Figures:
    """Return what a healthy system shows, but for some figures."""
    whole = Figures(
        mode="live",
        at_s=1_744_802_701.5,
        machine=MACHINE,
        journal_bytes=4096,
        connections=7,
        trace_bytes=8192,
        actors=[ACTOR],
        dead_letters=5,
        assets=[ASSET],
        backup=BackupFigures(complete_s=1_744_802_700.5, trouble="no room"),
        portfolio=PORTFOLIO,
        money=MONEY,
        performance=Performances(
            total=Performance(
                trades=3,
                wins=1,
                average_hold_ms=90_000,
                sharpe=1.5,
                volatility=0.2,
                slippage_bps=2.0,
                fee_bps=5.5,
                adverse=0.01,
                favorable=0.02,
            ),
            assets={},
        ),
        links={"BTC": LINK},
        books=BOOKS,
        orders_per_minute=0.5,
        requests=meter().stats(),
        streams=[tally().stats()],
        refused={("account", "execution"): 2},
        is_clock_known=True,
        clock_offset_s=0.012,
        accesses={200: 7, 401: 2},
    )
    return replace(whole, **changes)
