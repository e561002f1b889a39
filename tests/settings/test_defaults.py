"""The shipped settings hold the numbers of the strategy, and become the domain's rules."""

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from domain.market.funding import FundingRule
from domain.market.instruments import HOUR_MS, MINUTE_MS, Instrument
from domain.operator.notices import NoticeKind
from domain.rules import (
    ApprovalRules,
    AssetRules,
    CooldownRules,
    EntryTerms,
    FillRules,
    ProtectionRules,
    RiskRules,
    StopPolicy,
    TradingRules,
)
from domain.strategies.base import CandleRules, StrategySpec
from infra.settings import Settings, load_settings


@pytest.fixture(scope="module")
def shipped() -> Settings:
    return load_settings(None, environ={}, dotenv=None)


def asset(base: str, step: str, least: str, tick: str, most: str) -> AssetRules:
    return AssetRules(
        asset=base,
        allocation_fraction=Decimal("0.07"),
        leverage=Decimal(10),
        instrument=Instrument(
            symbol=f"{base}USDT",
            qty_step=Decimal(step),
            min_order_qty=Decimal(least),
            tick_size=Decimal(tick),
            min_notional=Decimal(5),
            max_market_order_qty=Decimal(most),
        ),
        terms=EntryTerms(
            strategy=StrategySpec(
                name="ema_cross_short",
                parameters={
                    "ema_short_period": 240,  # 1.2
                    "ema_long_period": 600,
                    "entry_crosses": ("PRICE_BELOW_SHORT", "PRICE_BELOW_LONG"),  # 2.2
                    "cross_threshold": 12,  # 3.2
                    "entry_window_minutes": 15,  # 4.2
                },
            ),
            stops=StopPolicy(
                stop_loss_fraction=Decimal("0.015"),  # 5.3: entry * 1.015
                take_profit_fraction=Decimal("0.06"),  # 5.3: entry * 0.94
                trail_fraction=None,
                min_ratchet_fraction=Decimal("0.01"),
                max_hold_ms=24 * HOUR_MS,  # 6.2
            ),
        ),
    )


STRATEGY = TradingRules(
    candles=CandleRules(
        candle_ms=5 * MINUTE_MS,  # 1.1
        warmup_candles=3000,  # 1.3
        entry_max_age_ms=30_000,  # 1.4
        volatility_window=288,  # 5.1
    ),
    risk=RiskRules(
        unprotected_position_ms=5_000,  # 5.4
        trail_interval_ms=1000,
        volatility_sizing=False,  # 5.1
        volatility_target=0.002,
        volatility_min_multiplier=0.25,  # 5.1
    ),
    protection=ProtectionRules(
        drawdown_steps=((Decimal("0.10"), Decimal("0.5")),),  # 8.2
        drawdown_restore_fraction=Decimal("0.05"),
        drawdown_emergency_fraction=Decimal("0.15"),  # 8.3
        drawdown_rearm_fraction=Decimal("0.10"),
        drawdown_halt_fraction=Decimal("0.20"),  # 8.4
        max_daily_loss_fraction=Decimal("0.05"),  # 8.5
        capital_loss_fraction=None,
        high_correlation_threshold=0.9,  # 8.6
        high_correlation_size_level=None,
        high_correlation_size_multiplier=Decimal("0.5"),
        loss_streak=5,  # 8.7
        loss_streak_cooldown_ms=4 * HOUR_MS,
        emergency_cooldown_ms=4 * HOUR_MS,  # 8.9
        stale_data_ms=60_000,  # 8.8
        malfunction_closes_all=False,
    ),
    cooldown=CooldownRules(
        short_hold_ms=HOUR_MS,  # 9.1
        short_hold_cooldown_ms=HOUR_MS,
        loss_streak=3,  # 9.2
        loss_streak_cooldown_ms=2 * HOUR_MS,
        trades_per_hour=5,  # 9.3
        trades_per_hour_cooldown_ms=30 * MINUTE_MS,
        trades_per_day=10,  # 9.4
        trades_per_day_cooldown_ms=4 * HOUR_MS,
    ),
    approval=ApprovalRules(
        max_total_exposure=Decimal("2.1"),  # 7.4
        max_positions=3,  # 7.3: number of assets
        max_simultaneous_entries=3,
        correlation_limit=0.8,
        max_position_size=None,
        max_correlated_exposure=None,
        correlation_group_threshold=0.6,
        max_concentration=None,
        concentration_top_n=3,
        min_entry_fraction=Decimal("0.5"),  # 7.4
        coordination_window_ms=2_000,  # 7.1
        reservation_ms=30_000,  # 7.6
        max_concurrent_submissions=3,
        rebalance_threshold=Decimal("0.10"),
    ),
    fills=FillRules(
        initial_balance=Decimal(10_000),  # 10.6
        slippage_fraction=Decimal("0.0002"),  # 10.1: 2 bps
        taker_fee_rate=Decimal("0.00055"),
        funding=FundingRule(rate=Decimal("0.0001"), interval_ms=8 * HOUR_MS),  # 10.2
        stop_gap_fraction=Decimal(0),
    ),
    assets=(  # 10.6
        asset("BTC", "0.001", "0.001", "0.1", "119"),
        asset("ETH", "0.01", "0.01", "0.01", "724"),
        asset("SOL", "0.1", "0.1", "0.01", "9690"),
    ),
)

TRADES_AND_DANGERS = (
    NoticeKind.ENTRY,
    NoticeKind.EXIT,
    NoticeKind.RISK,
    NoticeKind.SYSTEM,
    NoticeKind.REPORT,
)
TREND = {
    "allocation_pct": Decimal("0.05"),
    "leverage": 1,
    "ema_trigger_period": 50,
    "ema_trend_period": 200,
    "macd_fast_period": 12,
    "macd_slow_period": 26,
    "macd_signal_period": 9,
    "rsi_period": 14,
    "rsi_level": 50,
    "entry_confirmation_level": 2,
    "max_entry_wait_candles": 5,
    "trail_pct": Decimal("0.02"),
    "min_ratchet_pct": Decimal("0.01"),
    "stop_loss_pct": None,
    "take_profit_pct": None,
    "max_hold_hours": None,
}
OURS = {
    "confirmed_trend_long": TREND,
    "supervision": {
        "max_restarts": 5,
        "within_seconds": 60,
        "backoff_initial_seconds": Decimal("0.1"),
        "backoff_max_seconds": 10,
        "backoff_jitter_fraction": Decimal("0.2"),
        "hang_seconds": 30,
        "start_seconds": 60,
        "shutdown_seconds": 15,
        "freeze_seconds": 60,
    },
    "database": {
        "file": None,
        "url": None,
        "host": None,
        "port": None,
        "name": None,
        "user": None,
        "password": None,
        "busy_timeout_ms": 5000,
    },
    "backup": {
        "url": None,
        "key": None,
        "every_seconds": Decimal(5),
        "full_every_hours": 24,
        "keep_days": 14,
    },
    "health": {
        "every_seconds": Decimal(5),
        "for_seconds": Decimal(30),
        "max_cpu_pct": Decimal("0.8"),
        "max_memory_pct": Decimal("0.8"),
        "max_disk_pct": Decimal("0.9"),
        "max_latency_ms": 1000,
        "max_feed_age_seconds": Decimal(60),
        "max_message_age_seconds": Decimal(10),
        "max_clock_offset_ms": 1000,
        "max_backup_age_seconds": Decimal(60),
    },
    "logging": {"level": "INFO", "rotation": "00:00", "retention_days": 30},
    "trace": {
        "enabled": True,
        "ring": 2000,
        "flush_ms": 250,
        "segment_mb": 64,
        "kept_mb": 2048,
        "retention_days": 30,
        "tick_every": 1,
        "crash_files": 100,
    },
    "exchange": {
        "api_key": None,
        "api_secret": None,
        "testnet": None,
        "demo": None,
        "keystore": None,
        "rest_url": None,
        "public_stream_url": None,
        "private_stream_url": None,
        "least_tls": "1.3",
        "clock_speed": 1,
    },
    "notifications": {
        "instance": None,
        "alert_cooldown_minutes": 15,
        "report_time": "00:05",
        "weekly_report_day": "MON",
        "max_waiting": 1000,
        "kinds": {
            "telegram": tuple(NoticeKind),
            "telegram_admin": (NoticeKind.RISK, NoticeKind.SYSTEM),
            "discord": TRADES_AND_DANGERS,
            "slack": TRADES_AND_DANGERS,
            "email": (NoticeKind.RISK, NoticeKind.SYSTEM, NoticeKind.REPORT),
            "other": TRADES_AND_DANGERS,
        },
        "telegram_bot_token": None,
        "telegram_channel_id": None,
        "telegram_admin_chat_id": None,
        "telegram_user_ids": None,
        "telegram_server": "https://api.telegram.org",
        "discord_url": None,
        "slack_url": None,
        "email_url": None,
        "other_url": None,
        "heartbeat_url": None,
    },
    "control": {
        "enabled": True,
        "host": "127.0.0.1",
        "allowed_hosts": ("localhost", "127.0.0.1", "::1"),
        "port": 0,
        "requests_per_second": 20,
    },
}


@pytest.mark.parametrize("part", TradingRules.__dataclass_fields__)
def test_shipped_settings_hold_the_numbers_of_the_strategy(shipped: Settings, part: str) -> None:
    assert getattr(shipped.trading_rules(), part) == getattr(STRATEGY, part)


@pytest.mark.parametrize("section", OURS)
def test_shipped_settings_hold_our_own_numbers(shipped: Settings, section: str) -> None:
    assert shipped.model_dump()[section] == OURS[section]


def test_total_allocation_is_three_times_the_share_of_an_asset(shipped: Settings) -> None:
    assert shipped.portfolio.total_allocation_pct == 3 * Decimal("0.07")


def test_settings_cannot_be_changed(shipped: Settings) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        shipped.risk.stop_loss_pct = Decimal("0.5")


def test_positions_are_limited_by_the_number_of_enabled_assets_unless_told(tmp_path: Path) -> None:
    two = tmp_path / "two.yaml"
    two.write_text("""
portfolio:
  assets:
    - {symbol: SOLUSDT, allocation_pct: 0.07, leverage: 10, enabled: true}
    - {symbol: ETHUSDT, allocation_pct: 0.07, leverage: 10, enabled: false}
    - {symbol: BTCUSDT, allocation_pct: 0.07, leverage: 10, enabled: true}
""")
    one = tmp_path / "one.yaml"
    one.write_text("portfolio: {max_positions: 1}")

    of_two = load_settings(two, environ={}, dotenv=None).trading_rules()
    of_one = load_settings(one, environ={}, dotenv=None).trading_rules()

    assert [rules.asset for rules in of_two.assets] == ["SOL", "BTC"]
    assert of_two.approval.max_positions == 2
    assert of_one.approval.max_positions == 1
