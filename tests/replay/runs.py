"""Replays of small made-up markets on which much happens."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.core.system import Probe
from bin.bootstrap.recorded import build_replay
from bin.bootstrap.run import Run
from domain.backtesting.plain_loop import Backtest
from domain.backtesting.summary import in_order
from domain.market.candles import CandleSeries, carry_forward
from domain.trading.positions import Trade, book
from infra.settings import Settings, load_settings
from infra.venues.replay.lockstep import LockStep

START_MS = 1_743_465_600_000
CANDLE_MS = 300_000

LIVELY = {
    "strategy": {
        "ema_short_period": 5,
        "ema_long_period": 12,
        "warmup_candles": 40,
        "volatility_window": 20,
        "cross_threshold": 60,
    },
    "portfolio": {
        "correlation_limit": 0.75,
        "max_total_exposure_pct": 7,
        "total_allocation_pct": 0.9,
        "assets": [
            {"symbol": f"{asset}USDT", "allocation_pct": 0.3, "leverage": 10, "enabled": True}
            for asset in ("BTC", "ETH", "SOL")
        ],
    },
    "risk": {"high_correlation_threshold": 0.65, "stop_loss_pct": 0.006, "take_profit_pct": 0.012},
    "cooldown": {
        "per_asset_settings": {"short_hold_cooldown_hours": 0.1, "loss_streak_cooldown_hours": 0.2},
        "global_settings": {"loss_streak_cooldown_hours": 1, "emergency_cooldown_hours": 1},
    },
    "supervision": {"backoff_initial_seconds": 0.01, "backoff_max_seconds": 0.01},
}
"""Settings under which a day holds dozens of trades, stops and emergencies."""
UNTRACED = {"trace": {"enabled": False}}
"""Saves a third of a replay's work; the trace has tests of its own."""


def seeds(count: int) -> list[Any]:
    """Return as many seeds as parameters; all but the first are left to `-m complete`."""
    return [0, *(pytest.param(seed, marks=pytest.mark.complete) for seed in range(1, count))]


def lively_settings(folder: Path, **changes: dict) -> Settings:
    file = folder / "lively.yaml"
    file.write_text(json.dumps(LIVELY | changes))
    return load_settings(file, environ={}, dotenv=None)


def made_up_market(seed: int, candles: int, lengths: Sequence[tuple[int, int]] = ()) -> dict:
    """Return correlated random walks of three assets; `lengths` cuts each to [first, last)."""
    random = np.random.default_rng(seed)
    common = random.standard_t(3, size=candles) * 0.0018
    market = {}
    for index, asset in enumerate(("BTC", "ETH", "SOL")):
        own = random.standard_t(3, size=candles) * 0.0018
        close = np.round(100.0 * (index + 1) * np.exp(np.cumsum(common + own)), 2)
        open_ = np.concatenate([close[:1], close[:-1]])
        spread = np.abs(random.normal(size=(2, candles))) * 0.0015
        first, last = lengths[index] if lengths else (0, candles)
        cut = slice(first, last)
        times = START_MS + np.arange(candles, dtype=np.int64) * CANDLE_MS
        market[asset] = carry_forward(
            open_time_ms=times[cut],
            open=open_[cut],
            high=np.round(np.maximum(open_, close) * (1 + spread[0]), 2)[cut],
            low=np.round(np.minimum(open_, close) * (1 - spread[1]), 2)[cut],
            close=close[cut],
            volume=np.ones(candles)[cut],
            candle_ms=CANDLE_MS,
        )
    return market


@dataclass(frozen=True, kw_only=True)
class Outcome:
    trades: list[Trade]
    refusals: Mapping[str, int]
    balance: Decimal
    """At the exchange."""
    books: Decimal
    """What the journal's executions make of the starting balance."""
    restarts: int


def finish(
    run: Run, lockstep: LockStep, before_close: Callable[[int], None] = lambda _t_ms: None
) -> Outcome:
    """Play a replay to its end and return what it left behind."""
    run.start()
    for t_ms, _ in lockstep.steps(run.wait_quiet):
        before_close(t_ms)
    run.stop(30.0)
    return outcome(run, lockstep)


def outcome(run: Run, lockstep: LockStep) -> Outcome:
    """Return what a run that was stopped has left behind."""
    with run.ports.journals.connected():
        trades = run.ports.journals.trades()
        refusals = run.ports.journals.refusals_by_reason()
        books = _books(run)
    return Outcome(
        trades=in_order(trades, [asset.asset for asset in run.rules.assets]),
        refusals=refusals,
        books=books,
        balance=lockstep.exchange.engine.wallet,
        restarts=sum(run.restarts().values()),
    )


def _books(run: Run) -> Decimal:
    balance = run.rules.fills.initial_balance
    journal = run.ports.journals.open("reader", lambda: None)
    for asset in run.rules.assets:
        position = None
        for stored in journal.executions(asset.asset):
            booked = book(position, stored.execution)
            position, balance = booked.position, balance + booked.cash
    return balance


def replay(
    settings: Settings,
    market: Mapping[str, CandleSeries],
    folder: Path,
    probe: Probe | None = None,
) -> Outcome:
    folder.mkdir()
    make_probe = None if probe is None else lambda _now_ms: probe
    run, lockstep = build_replay(
        settings, market, folder, make_probe=make_probe, is_lenient=probe is not None
    )
    return finish(run, lockstep)


def plain_loop(settings: Settings, market: Mapping[str, CandleSeries]) -> Backtest:
    backtest = Backtest(market, settings.trading_rules())
    backtest.run()
    return backtest
