"""Scenes of every state, made up: three assets, or twelve."""

from dataclasses import replace
from decimal import Decimal
from functools import cache

from rich.text import Text

from domain.market.instruments import HOUR_MS, MINUTE_MS, Side
from domain.operator.system import ActorState, FeedState, SystemSnapshot, VenueLink
from domain.portfolio.performance import Performance, Performances
from domain.portfolio.snapshots import (
    AssetSnapshot,
    ExecutionSnapshot,
    PortfolioSnapshot,
    StopSnapshot,
)
from domain.rules import AssetRules, TradingRules
from domain.strategies.base import Regime, Value
from domain.strategies.explanation import Condition, Explanation
from domain.trading.decisions import AssetEvaluation
from domain.trading.orders import ExitReason
from domain.trading.positions import Position, Trade
from infra.operator.terminal.live.scene import Panel, Scene
from infra.settings import load_settings

NOW_MS = 1_764_374_400_000
PRICES = {
    name: Decimal(price)
    for name, price in {
        "BTC": "84231.5",
        "ETH": "2931.44",
        "SOL": "131.27",
        "XRP": "2.1313",
        "DOGE": "0.14921",
        "ADA": "0.4214",
        "AVAX": "13.52",
        "LINK": "13.071",
        "DOT": "2.301",
        "LTC": "84.11",
        "BNB": "881.3",
        "UNI": "6.221",
    }.items()
}


@cache
def rules_of(count: int) -> TradingRules:
    """Return the usual rules for so many assets."""
    rules = load_settings(None, environ={}, dotenv=None).trading_rules()
    first = rules.assets[0]
    names = list(PRICES)[:count]
    known = {one.asset: one for one in rules.assets}
    made = tuple(known.get(name) or _like(first, name) for name in names)
    return replace(rules, assets=made)


def _like(first: AssetRules, name: str) -> AssetRules:
    tick_size = Decimal(1).scaleb(PRICES[name].as_tuple().exponent)
    instrument = replace(first.instrument, symbol=f"{name}USDT", tick_size=tick_size)
    return replace(first, asset=name, instrument=instrument)


def position_of(asset: str, *, side: Side = Side.SELL, qty: str = "0.125") -> Position:
    """Return a position that was opened half an hour ago, 1 percent above the price."""
    amount, entry = Decimal(qty), PRICES[asset] * Decimal("1.01")
    return Position(
        asset=asset,
        side=side,
        qty=amount,
        opened_ms=NOW_MS - 30 * MINUTE_MS,
        decided_ms=NOW_MS - 30 * MINUTE_MS,
        signal_ms=NOW_MS - 35 * MINUTE_MS,
        open_notional=amount * entry,
        entry_qty=amount,
        entry_notional=amount * entry,
    )


def asset_of(name: str, position: Position | None) -> AssetSnapshot:
    """Return an asset that has decided its newest close."""
    price = float(PRICES[name])
    entry = (
        Condition(
            name="minutes since the newest signal", figure=42.0, limit=15.0, holds=False, needs="<="
        ),
    )
    return AssetSnapshot(
        asset=name,
        report=AssetEvaluation(
            asset=name,
            t_ms=NOW_MS - MINUTE_MS,
            close=price,
            regime=Regime.ACTIVE if position else Regime.INACTIVE,
            values=(
                Value(name="fast", label="fast line", figure=price * 1.01),
                Value(name="slow", label="slow line", figure=price * 1.02),
            ),
        ),
        position=position,
        closes_seen=5_000,
        cooldown_minutes=0,
        cooldown_reason="",
        loss_streak=0,
        newest_signal_ms=NOW_MS - 42 * MINUTE_MS,
        explanation=Explanation(t_ms=NOW_MS - MINUTE_MS, entry=entry),
    )


def execution_of(name: str, position: Position | None) -> ExecutionSnapshot:
    """Return an execution whose stop stands at the exchange."""
    if position is None:
        return ExecutionSnapshot(asset=name, is_unprotected=False)
    level = round(position.avg_entry_price * Decimal("1.015"), 4)
    stop = StopSnapshot(
        stop_loss=level, best=None, is_armed=False, confirmed_stop_loss=level, confirmed_ms=NOW_MS
    )
    return ExecutionSnapshot(asset=name, is_unprotected=False, stop=stop)


def actor_of(address: str, **changes: object) -> ActorState:
    """Return an actor that does well."""
    well = ActorState(
        address=address,
        is_running=True,
        is_given_up=False,
        restarts=0,
        depth=0,
        oldest_s=0.0,
        status="RUNNING",
        generation=1,
        handled=12_345,
        p50_ms=0.12,
        p99_ms=1.5,
    )
    return replace(well, **changes)


def trade_of(asset: str, pnl: str, ago_ms: int = HOUR_MS) -> Trade:
    """Return a closed short."""
    return Trade(
        asset=asset,
        side=Side.SELL,
        entry_ms=NOW_MS - ago_ms - HOUR_MS,
        exit_ms=NOW_MS - ago_ms,
        qty=Decimal("0.5"),
        entry_price=PRICES[asset],
        exit_price=PRICES[asset],
        fees=Decimal("1.2"),
        funding=Decimal(0),
        pnl=Decimal(pnl),
        reason=ExitReason.REGIME,
        decided_ms=NOW_MS - ago_ms,
    )


EVENTS = tuple(
    Text.from_ansi(f"03:41:{second:02}.123 {level: <7} {message}")
    for second, (level, message) in enumerate(
        [
            ("INFO", "the oldest event"),
            ("INFO", "BTC: regime ACTIVE, was INACTIVE"),
            ("SUCCESS", "BTC: SHORT 0.125 at 85,073.8 filled, stop 86,349.9 stands"),
            ("WARNING", "public stream lost: the exchange closed the connection; again in 1.2 s"),
            ("INFO", "ETH: entry refused, CORRELATION correlation=0.91 limit=0.8 with=BTC"),
            ("INFO", "public stream connected after 1.4 s, 3 candles fetched"),
            ("ERROR", "asset/SOL crashed: ZeroDivisionError: division by zero; restarted, 1 of 5"),
            ("INFO", "the newest event"),
        ]
    )
)


def scene(*, count: int = 3, held: tuple[str, ...] = ("BTC", "ETH"), **more: object) -> Scene:
    """Return a run that does well."""
    rules = rules_of(count)
    names = [one.asset for one in rules.assets]
    positions = {name: position_of(name) for name in names if name in held}
    portfolio = PortfolioSnapshot(
        balance=Decimal("10034.56"),
        equity=Decimal("10045.91"),
        exposure=Decimal(10900),
        drawdown=Decimal("0.0123"),
        daily_loss=Decimal("-0.0034"),
        day_start_equity=Decimal("10011.87"),
        positions=positions,
        prices={name: PRICES[name] for name in names},
        global_cooldown_end_ms=0,
        is_halted=False,
        is_reduced=False,
        trades=7,
        realized_pnl=Decimal("34.56"),
        capital=Decimal("10034.56"),
    )
    feeds = {
        name: FeedState(asset=name, age_s=0.4, is_stale=False, price=PRICES[name]) for name in names
    }
    addresses = ["notifier", "portfolio"]
    addresses += [f"{kind}/{name}" for name in names for kind in ("asset", "execution")]
    seen = SystemSnapshot(
        actors=tuple(map(actor_of, addresses)),
        dead_letters=0,
        portfolio=portfolio,
        assets={name: asset_of(name, positions.get(name)) for name in names},
        executions={name: execution_of(name, positions.get(name)) for name in names},
        mode="paper",
        account="https://api.bybit.com, fills on paper",
        started_ms=NOW_MS - HOUR_MS,
        now_ms=NOW_MS,
        machine_ms=NOW_MS - 140,
        feeds=feeds,
    )
    trace = Text("trace: session 3, 12.4 MB", "dim")
    return Scene(seen=seen, rules=rules, events=EVENTS, trace=trace, **more)


def with_portfolio(found: Scene, **changes: object) -> Scene:
    """Return a scene whose portfolio is another."""
    return with_seen(found, portfolio=replace(found.seen.portfolio, **changes))


def with_seen(found: Scene, **changes: object) -> Scene:
    """Return a scene whose snapshot is another."""
    return replace(found, seen=replace(found.seen, **changes))


def stale(found: Scene) -> Scene:
    """Return a scene without prices for 98 s."""
    old = {
        name: replace(feed, age_s=98.2, is_stale=True) for name, feed in found.seen.feeds.items()
    }
    return with_seen(found, feeds=old)


def unprotected(found: Scene, asset: str = "BTC") -> Scene:
    """Return a scene in which a position has no stop."""
    bare = ExecutionSnapshot(asset=asset, is_unprotected=True)
    return with_seen(found, executions={**found.seen.executions, asset: bare})


def crowded(count: int) -> Scene:
    """Return a run in all trouble at once, each of whose positions needs a line of its own."""
    found = scene(count=12, held=())
    names = [*PRICES, *(f"NEW{number}" for number in range(count - len(PRICES)))]
    positions = {
        name: replace(position_of("BTC", qty="999999.999"), asset=name) for name in names[:count]
    }
    found = with_portfolio(
        found, positions=positions, panic_since_ms=NOW_MS, panic_by="terminal", is_halted=True
    )
    return stale(unprotected(with_seen(found, unknown_orders=2)))


WELL = scene()
OF_BTC = Performance(
    trades=4,
    wins=3,
    average_hold_ms=3 * HOUR_MS,
    sharpe=1.234,
    volatility=0.181,
    slippage_bps=1.26,
    fee_bps=5.5,
    adverse=0.0041,
    favorable=0.0212,
    risk_share=0.62,
)
DONE = Performances(total=replace(OF_BTC, risk_share=None), assets={"BTC": OF_BTC})
LINKS = {
    "BTC": VenueLink(
        asset="BTC",
        is_streaming=True,
        orders_per_minute=0.5,
        request_p50_ms=21.4,
        request_p99_ms=380.0,
    ),
    "ETH": VenueLink(
        asset="ETH",
        is_streaming=False,
        orders_per_minute=0.0,
        request_p50_ms=None,
        request_p99_ms=None,
    ),
}
HEALTH = {
    "journal connections": "7",
    "orders": "1 a minute",
    "request p50": "21 ms",
    "log level": "INFO",
}
STATES: dict[str, Scene] = {
    "running": WELL,
    "running-flat": scene(held=()),
    "paused": with_portfolio(WELL, paused=("BTC", "ETH", "SOL")),
    "paused-one": with_portfolio(WELL, paused=("ETH",)),
    "cooldown": with_portfolio(
        WELL, global_cooldown_end_ms=NOW_MS + HOUR_MS, global_cooldown_reason="LOSS_STREAK"
    ),
    "halted": with_portfolio(WELL, is_halted=True, positions={}),
    "panic": with_portfolio(
        WELL, panic_since_ms=NOW_MS - MINUTE_MS, panic_by="telegram/7", not_flat=("ETH",)
    ),
    "malfunction": with_portfolio(WELL, malfunctions={"journal": "journal: the disk is full"}),
    "stale": stale(WELL),
    "unprotected": unprotected(WELL),
    "unknown": with_seen(WELL, unknown_orders=1),
    "down": with_seen(WELL, portfolio=None),
    "given-up": with_seen(
        WELL,
        actors=(
            *WELL.seen.actors[:-1],
            actor_of(
                "execution/SOL",
                is_running=False,
                is_given_up=True,
                restarts=5,
                last_failure="ZeroDivisionError: division by zero",
                crash_id="crash-17",
            ),
        ),
    ),
    "twelve": scene(count=12, held=("BTC", "ETH", "SOL", "XRP", "DOGE")),
    "twelve-open": scene(count=12, held=tuple(PRICES)),
    "all-at-once": unprotected(
        stale(
            with_seen(
                with_portfolio(
                    scene(count=12, held=tuple(PRICES)),
                    panic_since_ms=NOW_MS,
                    panic_by="terminal",
                    not_flat=("BTC", "ETH"),
                    is_halted=True,
                    malfunctions={"journal": "journal: the disk is full"},
                ),
                unknown_orders=2,
            )
        )
    ),
    "trades": replace(
        WELL,
        panel=Panel.TRADES,
        trades=tuple(trade_of(name, pnl) for name, pnl in (("BTC", "12.31"), ("SOL", "-41.2"))),
    ),
    "figures": replace(
        with_seen(WELL, performance=DONE, links=LINKS, health=HEALTH), panel=Panel.FIGURES
    ),
    "actors": replace(WELL, panel=Panel.ACTORS),
    "log": replace(WELL, panel=Panel.LOG),
    "help": replace(WELL, panel=Panel.HELP),
}
SIZES = ((60, 15), (80, 24), (120, 30), (200, 50))
