"""Trailing stops and both sides in a replay: as in the plain loop, whatever crashes."""

import json
from collections import Counter
from pathlib import Path

import pytest

from actors.drills.probes import CrashDrill
from domain.backtesting.summary import in_order
from domain.trading.orders import ExitReason
from infra.settings import Settings, load_settings
from infra.store.opening import open_store
from tests.replay.runs import (
    LIVELY,
    UNTRACED,
    lively_settings,
    made_up_market,
    plain_loop,
    replay,
    seeds,
)

DAY = 288
ASSETS = ["BTC", "ETH", "SOL"]


def mixed_settings(folder: Path, **changes: object) -> Settings:
    """Return settings under which BTC and ETH are long, SOL is short, and all trail."""
    long = {"strategy": "confirmed_trend_long", "allocation_pct": 0.1, "leverage": 5}
    short = {"allocation_pct": 0.3, "leverage": 10}
    portfolio = {
        "correlation_limit": 1.0,
        "max_total_exposure_pct": 7,
        "total_allocation_pct": 0.9,
        "assets": [
            {"symbol": "BTCUSDT", "trail_pct": 0.008} | long,
            {"symbol": "ETHUSDT", "take_profit_pct": 0.01} | long,
            {"symbol": "SOLUSDT", "trail_pct": 0.005, "min_ratchet_pct": 0.001} | short,
        ],
    }
    trend = {
        "ema_trigger_period": 5,
        "ema_trend_period": 12,
        "trail_pct": 0.006,
        "min_ratchet_pct": 0.001,
    }
    file = folder / "mixed.yaml"
    file.write_text(
        json.dumps(
            LIVELY | {"portfolio": portfolio, "confirmed_trend_long": trend} | UNTRACED | changes
        )
    )
    return load_settings(file, environ={}, dotenv=None)


@pytest.mark.parametrize("seed", seeds(3))
def test_trailing_stops_trade_as_in_the_plain_loop(tmp_path: Path, seed: int) -> None:
    settings, market = mixed_settings(tmp_path), made_up_market(seed, 3 * DAY)
    expected = plain_loop(settings, market)

    outcome = replay(settings, market, tmp_path / "run")

    assert outcome.trades == in_order(expected.result.trades, ASSETS)
    assert outcome.balance == outcome.books == expected.engine.wallet
    reasons = Counter((trade.side, trade.reason) for trade in outcome.trades)
    assert {side for side, reason in reasons if reason is ExitReason.TRAILING_STOP} == {
        "BUY",
        "SELL",
    }


@pytest.mark.parametrize("seed", seeds(3))
def test_crashes_change_no_trade_of_a_trailing_stop(tmp_path: Path, seed: int) -> None:
    settings, market = mixed_settings(tmp_path), made_up_market(seed, 2 * DAY)
    expected = plain_loop(settings, market)

    outcome = replay(settings, market, tmp_path / "run", CrashDrill(0.05, seed))

    assert outcome.restarts > 50
    assert outcome.trades == in_order(expected.result.trades, ASSETS)
    assert outcome.balance == outcome.books == expected.engine.wallet


def test_how_many_entries_may_be_on_their_way_changes_no_trade(tmp_path: Path) -> None:
    market = made_up_market(4, 2 * DAY)
    settings = lively_settings(
        tmp_path, portfolio=LIVELY["portfolio"] | {"max_concurrent_submissions": 1}
    )
    expected = plain_loop(settings, market)
    closes = Counter(trade.entry_ms for trade in expected.result.trades)
    assert max(closes.values()) > 1

    outcome = replay(settings, market, tmp_path / "run", CrashDrill(0.01, 1))

    assert outcome.trades == in_order(expected.result.trades, ASSETS)


def test_each_move_of_the_exchange_s_own_trail_is_a_fact(tmp_path: Path) -> None:
    settings, market = mixed_settings(tmp_path), made_up_market(1, DAY)

    outcome = replay(settings, market, tmp_path / "run")

    journals = open_store(tmp_path / "run" / "journal.sqlite", lambda: 0, busy_timeout_ms=5_000)
    journal = journals.open("reader", lambda: None)
    trailed = {t.asset for t in outcome.trades if t.reason is ExitReason.TRAILING_STOP}
    assert trailed
    for asset in trailed:
        moved = journal.newest_stop_move(asset)
        assert moved is not None
        assert moved.confirmed_stop_loss == moved.stop_loss
    journal.close()
