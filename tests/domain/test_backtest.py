"""The rules over whole markets: the recorded trades, and what must hold on any market."""

import csv
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtesting.plain_loop import Backtest, candles_by_close
from domain.backtesting.summary import in_order
from domain.market.candles import CandleSeries
from domain.market.instruments import DAY_MS, HOUR_MS, Side
from domain.rules import TradingRules
from domain.trading.orders import ExitReason
from domain.trading.positions import Trade
from infra.candles.files import read_candles
from tests.domain.builders import CANDLE_MS, NOON_MS, RULES, changed, series

NAMES = ["BTC", "ETH", "SOL"]
MARKET = "bybit_perp_2025-04_2025-07"


@pytest.fixture(scope="module")
def recorded(shared_data: Path) -> tuple[Backtest, list[Trade], list[dict[str, str]]]:
    """Return the run over the recorded market, its trades, and those that are expected."""
    by_symbol = read_candles(
        shared_data / "market" / MARKET,
        [asset.instrument.symbol for asset in RULES.assets],
        candle_ms=RULES.candles.candle_ms,
    )
    run = Backtest(
        {asset.asset: by_symbol[asset.instrument.symbol] for asset in RULES.assets}, RULES
    )
    trades = in_order(run.run().trades, NAMES)
    with (shared_data / "expected" / f"{MARKET}.trades.csv").open(newline="") as file:
        return run, trades, list(csv.DictReader(file))


def test_trades_of_the_recorded_market_are_the_expected_ones(recorded) -> None:
    _, trades, expected = recorded

    assert len(trades) == len(expected) == 177
    for found, row in zip(trades, expected, strict=True):
        assert row["side"] == "short"
        assert found.side is Side.SELL
        assert [
            found.asset,
            str(found.entry_ms),
            str(found.exit_ms),
            Decimal(found.qty),
            found.reason,
        ] == [
            row["asset"],
            row["entry_time_ms"],
            row["exit_time_ms"],
            Decimal(row["qty"]),
            row["reason"],
        ]
        for name in ("entry_price", "exit_price", "fees", "funding", "pnl"):
            expected_value = pytest.approx(float(row[name]), rel=1e-6, abs=1e-12)
            assert float(getattr(found, name)) == expected_value, (name, row)


def test_balance_of_the_recorded_market_ends_where_expected(recorded) -> None:
    run, trades, _ = recorded

    assert float(run.engine.wallet) == pytest.approx(8341.578166, abs=5e-7)
    assert run.engine.wallet == 10_000 + sum(trade.pnl for trade in trades)
    assert run.engine.positions == {}
    run.portfolio.fold_all()
    assert run.portfolio.balance == run.engine.wallet


# Markets of our own: short averages, so that they trade often.

QUICK = changed(
    strategy={
        "ema_short_period": 2,
        "ema_long_period": 4,
        "cross_threshold": 40,
    },
    candles={"warmup_candles": 4, "volatility_window": 4},
    approval={"correlation_limit": 1.1},
    protection={"high_correlation_threshold": 1.1},
    cooldown={"short_hold_cooldown_ms": 0, "trades_per_hour": 99, "loss_streak": 99},
)
FREE = changed(QUICK, fills={"slippage_fraction": Decimal(0), "taker_fee_rate": Decimal(0)})
ENTRY = [100.0, 101.0, 102.0, 103.0, 104.0, 99.0]
"""The last of these closes crosses both averages: a short is opened at it."""


def run(
    candles: dict[str, CandleSeries], rules: TradingRules = FREE
) -> tuple[Backtest, list[Trade]]:
    backtest = Backtest(candles, rules)
    return backtest, backtest.run().trades


def market(*after: float, first_ms: int = NOON_MS) -> CandleSeries:
    """Return a market that opens a short at its sixth close and then goes on."""
    return series([*ENTRY, *after], first_ms)


def test_short_is_opened_at_the_close_and_let_go_at_the_close() -> None:
    _, trades = run({"BTC": market(98.0, 108.0)}, FREE)

    # 108 lies above the stop at 100.4, which the candle reached: the exchange was first.
    assert [(one.entry_ms, one.exit_ms, one.reason) for one in trades] == [
        (NOON_MS + 5 * CANDLE_MS, NOON_MS + 7 * CANDLE_MS, ExitReason.STOP_LOSS)
    ]
    assert (trades[0].entry_price, trades[0].exit_price) == (99, Decimal("100.4"))
    assert trades[0].qty == Decimal("70.707")


def test_stops_lie_around_the_unrounded_fill() -> None:
    rules = changed(FREE, fills={"slippage_fraction": Decimal("0.0002")})

    backtest, _ = run({"BTC": market(98.0)}, rules)

    stops = backtest.engine.stops["BTC"]  # around 99 * 0.9998 = 98.9802
    assert (stops.stop_loss, stops.take_profit) == (Decimal("100.4"), Decimal("93.1"))


def test_asset_that_exits_by_decision_does_not_enter_at_the_same_close() -> None:
    backtest, trades = run({"BTC": market(98.0, 99.5)}, FREE)

    assert [one.reason for one in trades] == [ExitReason.REGIME]
    assert trades[0].exit_ms == NOON_MS + 7 * CANDLE_MS
    assert backtest.engine.positions == {}


def test_position_at_the_last_close_stays_open() -> None:
    backtest, trades = run({"BTC": market()})

    assert trades == []
    assert backtest.engine.positions["BTC"].qty == Decimal("70.707")


def test_position_opened_at_a_settlement_gets_its_funding_in_the_next_candle() -> None:
    first_ms = NOON_MS + 4 * HOUR_MS - 5 * CANDLE_MS

    backtest, _ = run({"BTC": market(98.5, first_ms=first_ms)})

    position = backtest.engine.positions["BTC"]
    assert position.opened_ms == NOON_MS + 4 * HOUR_MS
    assert position.funding == Decimal("70.707") * 99 * Decimal("0.0001")


def test_asset_takes_part_from_its_first_candle_to_its_last() -> None:
    candles = {
        "ETH": series([1.0, 2.0], NOON_MS),
        "BTC": series([1.0, 2.0, 3.0], NOON_MS + CANDLE_MS),
    }

    found = [(t_ms, list(here)) for t_ms, here in candles_by_close(candles, ["BTC", "ETH"])]

    assert found == [
        (NOON_MS, ["ETH"]),
        (NOON_MS + CANDLE_MS, ["BTC", "ETH"]),
        (NOON_MS + 2 * CANDLE_MS, ["BTC"]),
        (NOON_MS + 3 * CANDLE_MS, ["BTC"]),
    ]


def test_emergency_closes_those_that_take_part_and_leaves_those_that_do_not() -> None:
    rules = changed(
        FREE,
        protection={"max_daily_loss_fraction": Decimal("0.001")},
        stops={"stop_loss_fraction": Decimal("0.5")},
    )
    candles = {"BTC": market(), "ETH": market(99.3), "SOL": market(99.3)}

    backtest, trades = run(candles, rules)

    assert {one.asset: one.reason for one in trades} == {
        "ETH": ExitReason.DAILY_LOSS,
        "SOL": ExitReason.DAILY_LOSS,
    }
    assert set(backtest.engine.positions) == {"BTC"}
    assert backtest.result.decisions[-1].protection is not None


def test_own_exits_fill_before_emergency_exits_and_each_in_the_order_of_the_settings() -> None:
    rules = changed(
        FREE,
        protection={"max_daily_loss_fraction": Decimal("0.001")},
        stops={"stop_loss_fraction": Decimal("0.5")},
    )
    candles = {"SOL": market(101.5), "ETH": market(99.3), "BTC": market(99.3)}

    _, trades = run(candles, rules)

    assert [(one.asset, one.reason) for one in trades] == [
        ("SOL", ExitReason.REGIME),
        ("BTC", ExitReason.DAILY_LOSS),
        ("ETH", ExitReason.DAILY_LOSS),
    ]


def test_entries_fill_in_the_order_of_the_settings_not_in_that_of_their_grants() -> None:
    nervous = series([100.0, 101.0, 102.0, 103.0, 107.0, 98.0], NOON_MS)

    backtest, _ = run({"BTC": market(), "ETH": nervous})

    (decision,) = backtest.result.decisions
    assert [approval.asset for approval in decision.approvals] == ["ETH", "BTC"]
    assert list(backtest.engine.positions) == ["BTC", "ETH"]


@cache
def random_market(seed: int, length: int = 500) -> dict[str, CandleSeries]:
    """Return three nervous markets that begin at different times and cross midnights."""
    random = np.random.default_rng(seed)
    candles = {}
    for index, name in enumerate(NAMES):
        close = np.round(100 * np.exp(np.cumsum(random.normal(scale=0.004, size=length))), 2)
        opens = np.concatenate([close[:1], np.round(close[:-1] * random.normal(1, 0.001), 2)])
        spread = 1 + np.abs(random.normal(scale=0.004, size=length))
        candles[name] = series(
            close,
            NOON_MS + int(random.integers(0, 30)) * CANDLE_MS * index,
            opens=opens,
            highs=np.maximum(opens, close) * spread,
            lows=np.minimum(opens, close) / spread,
        )
    return candles


seeds = st.integers(min_value=0, max_value=40)
BUSY = changed(
    strategy={
        "ema_short_period": 3,
        "ema_long_period": 9,
    },
    candles={"warmup_candles": 10, "volatility_window": 20},
    protection={"loss_streak_cooldown_ms": HOUR_MS, "emergency_cooldown_ms": HOUR_MS},
    cooldown={"short_hold_cooldown_ms": 0, "loss_streak_cooldown_ms": HOUR_MS},
)


@settings(max_examples=12)
@given(seeds, st.integers(min_value=20, max_value=540))
def test_future_candles_change_no_trade_of_the_past(seed: int, candles: int) -> None:
    whole = random_market(seed)
    now_ms = NOON_MS + candles * CANDLE_MS
    known = {name: part.until(now_ms) for name, part in whole.items()}

    _, early = run({name: part for name, part in known.items() if len(part)}, BUSY)
    _, late = run(whole, BUSY)

    assert early == [one for one in late if one.exit_ms <= now_ms]


@settings(max_examples=12)
@given(seeds)
def test_any_run_keeps_its_books_and_its_rules(seed: int) -> None:
    backtest, trades = run(random_market(seed), BUSY)

    open_parts = sum(
        (one.funding - one.fees for one in backtest.engine.positions.values()), Decimal(0)
    )
    earned = sum((one.pnl for one in trades), Decimal(0))
    assert abs(backtest.engine.wallet - 10_000 - earned - open_parts) < Decimal("1E-12")
    backtest.portfolio.fold_all()
    assert backtest.portfolio.balance == backtest.engine.wallet
    assert backtest.portfolio.positions == backtest.engine.positions
    assert trades
    for name in NAMES:
        mine = [one for one in trades if one.asset == name]
        for before, after in pairwise(mine):
            assert before.exit_ms <= after.entry_ms
            if before.reason in {ExitReason.REGIME, ExitReason.TIME}:
                assert before.exit_ms < after.entry_ms
    opened = [one.entry_ms for one in trades]
    for decision in backtest.result.decisions:
        assert not (decision.protection and decision.approvals)
        if decision.protection is not None:
            ends_ms = decision.protection.cooldown_end_ms
            assert not [t_ms for t_ms in opened if decision.t_ms <= t_ms < ends_ms]
    for one in trades:
        assert one.exit_ms - one.entry_ms <= DAY_MS
        assert one.qty % RULES.asset(one.asset).instrument.qty_step == 0
