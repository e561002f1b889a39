"""The sections of the settings, and how each becomes rules of the domain.

Names are those of `settings.yaml`, where their meaning stands; `_pct` is a fraction there and
becomes `_fraction` here. No field has a default, so that each stands in one place.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr

from domain.crosses import CrossKind
from domain.market import HOUR_MS, MINUTE_MS, Instrument
from domain.notices import NoticeKind, NoticeRules
from domain.rules import (
    AssetRules,
    CooldownRules,
    FillRules,
    GrantRules,
    ProtectionRules,
    RiskRules,
    StrategyRules,
    TradingRules,
)
from infra.settings import fields

_SECOND_MS = 1000
_ONE_BPS = Decimal("0.0001")
_QUOTE = "USDT"

_Fraction = Annotated[Decimal, fields.fraction("0.001", "0.999")]
_Share = Annotated[Decimal, fields.fraction("0.001", "1")]
_Correlation = Annotated[Decimal, fields.fraction("0.01", "1")]
_Exposure = Annotated[Decimal, fields.multiple_of_balance("0.01", "50")]
_Count = Annotated[int, fields.whole("count", 1, 1000)]
_Candles = Annotated[int, fields.whole("candles", 2, 100_000)]
_Ms = Annotated[int, fields.whole("milliseconds", 1, 600_000)]
_Seconds = Annotated[Decimal, fields.number("seconds", "0.01", "3600")]
_Minutes = Annotated[int, fields.whole("minutes", 0, 10_080)]
_Hours = Annotated[Decimal, fields.number("hours", "0", "8760")]
_Positive = Annotated[Decimal, fields.number("above zero", "0.00000001", "1000000000")]
_Symbol = Annotated[
    str, fields.text(r"[A-Z0-9]{1,20}USDT", "a USDT perpetual in capitals, like BTCUSDT")
]
_Flag = Annotated[bool, BeforeValidator(fields.flag)]
_Secret = Annotated[SecretStr, BeforeValidator(fields.secret)]
_SecretUrl = Annotated[SecretStr, BeforeValidator(fields.secret_url)]
_TimeOfDay = Annotated[
    str, fields.text(r"([01][0-9]|2[0-3]):[0-5][0-9]", "a UTC time of day, like 00:00")
]
_Kind = Annotated[
    NoticeKind, BeforeValidator(str.lower), fields.one_of(kind.upper() for kind in NoticeKind)
]
_Kinds = tuple[_Kind, ...]
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_HOST = r"[A-Za-z0-9.-]{1,200}(:[0-9]{1,5})?"
_HERE = r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?"
_StreamUrl = Annotated[
    str,
    fields.text(
        f"wss://{_HOST}/[a-z0-9/]{{1,60}}|ws://{_HERE}/[a-z0-9/]{{1,60}}",
        "wss://HOST/PATH, ws://127.0.0.1:PORT/PATH, or null",
    ),
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class InstrumentSettings(_Section):
    """An exchange's filters where no exchange is asked."""

    qty_step: _Positive
    min_order_qty: _Positive
    tick_size: _Positive
    min_notional_value: _Positive
    max_market_order_qty: _Positive

    def instrument(self, symbol: str) -> Instrument:
        """Return the domain's instrument."""
        return Instrument(
            symbol=symbol,
            qty_step=self.qty_step,
            min_order_qty=self.min_order_qty,
            tick_size=self.tick_size,
            min_notional=self.min_notional_value,
            max_market_order_qty=self.max_market_order_qty,
        )


class AssetSettings(_Section):
    """One asset's share of the balance."""

    symbol: _Symbol
    allocation_pct: _Share
    leverage: Annotated[Decimal, fields.leverage("100")]
    enabled: _Flag

    def rules(self, instrument: InstrumentSettings) -> AssetRules:
        """Return the rules of the asset, named after its base coin."""
        return AssetRules(
            asset=self.symbol.removesuffix(_QUOTE),
            allocation_fraction=self.allocation_pct,
            leverage=self.leverage,
            instrument=instrument.instrument(self.symbol),
        )


class PortfolioSettings(_Section):
    """Which assets are traded and what they may hold together."""

    total_allocation_pct: _Share
    assets: tuple[AssetSettings, ...]
    max_total_exposure_pct: _Exposure
    max_positions: Annotated[int, fields.whole("positions, or null", 1, 1000)] | None
    max_simultaneous_entries: _Count
    correlation_limit: _Correlation
    max_correlated_exposure_pct: _Exposure | None
    correlation_group_threshold: _Correlation
    min_entry_fraction: _Share
    coordination_window_ms: _Ms
    reservation_seconds: _Seconds

    @property
    def enabled_assets(self) -> tuple[AssetSettings, ...]:
        """Return the assets that are traded, in the order of the settings."""
        return tuple(asset for asset in self.assets if asset.enabled)

    def grant_rules(self) -> GrantRules:
        """Return what the portfolio grants."""
        limit = self.max_positions
        return GrantRules(
            max_total_exposure=self.max_total_exposure_pct,
            max_positions=len(self.enabled_assets) if limit is None else limit,
            max_simultaneous_entries=self.max_simultaneous_entries,
            correlation_limit=float(self.correlation_limit),
            max_correlated_exposure=self.max_correlated_exposure_pct,
            correlation_group_threshold=float(self.correlation_group_threshold),
            min_entry_fraction=self.min_entry_fraction,
            coordination_window_ms=self.coordination_window_ms,
            reservation_ms=_ms(self.reservation_seconds, _SECOND_MS),
        )


class StrategySettings(_Section):
    """When an asset enters and leaves."""

    candle_minutes: Annotated[
        int, fields.one_of(("1", "3", "5", "15", "30", "60", "120", "240", "360", "720"))
    ]
    ema_short_period: _Candles
    ema_long_period: _Candles
    warmup_candles: _Candles
    entry_crosses: tuple[Annotated[CrossKind, fields.one_of(CrossKind)], ...]
    cross_threshold: _Count
    entry_window_minutes: _Minutes
    entry_max_age_ms: _Ms
    max_hold_hours: Annotated[Decimal, fields.number("hours", "0.01", "8760")]
    volatility_window: _Candles

    def rules(self) -> StrategyRules:
        """Return the rules of entry and exit."""
        return StrategyRules(
            candle_ms=self.candle_minutes * MINUTE_MS,
            ema_short_period=self.ema_short_period,
            ema_long_period=self.ema_long_period,
            warmup_candles=self.warmup_candles,
            entry_crosses=frozenset(self.entry_crosses),
            cross_threshold=self.cross_threshold,
            entry_window_ms=self.entry_window_minutes * MINUTE_MS,
            entry_max_age_ms=self.entry_max_age_ms,
            max_hold_ms=_ms(self.max_hold_hours, HOUR_MS),
            volatility_window=self.volatility_window,
        )


class AssetCooldownSettings(_Section):
    """How long an asset rests after a trade."""

    short_hold_hours: _Hours
    short_hold_cooldown_hours: _Hours
    loss_streak: _Count
    loss_streak_cooldown_hours: _Hours
    trades_per_hour: _Count
    trades_per_hour_cooldown_minutes: _Minutes
    trades_per_day: _Count
    trades_per_day_cooldown_hours: _Hours

    def rules(self) -> CooldownRules:
        """Return the rules of an asset's cooldowns."""
        return CooldownRules(
            short_hold_ms=_ms(self.short_hold_hours, HOUR_MS),
            short_hold_cooldown_ms=_ms(self.short_hold_cooldown_hours, HOUR_MS),
            loss_streak=self.loss_streak,
            loss_streak_cooldown_ms=_ms(self.loss_streak_cooldown_hours, HOUR_MS),
            trades_per_hour=self.trades_per_hour,
            trades_per_hour_cooldown_ms=self.trades_per_hour_cooldown_minutes * MINUTE_MS,
            trades_per_day=self.trades_per_day,
            trades_per_day_cooldown_ms=_ms(self.trades_per_day_cooldown_hours, HOUR_MS),
        )


class GlobalCooldownSettings(_Section):
    """How long the whole portfolio rests."""

    loss_streak_cooldown_hours: _Hours
    emergency_cooldown_hours: _Hours


class CooldownSettings(_Section):
    """How long an asset or the portfolio rests."""

    per_asset_settings: AssetCooldownSettings
    global_settings: GlobalCooldownSettings


class ExecutionSettings(_Section):
    """How orders and stops are watched."""

    reconcile_seconds: _Seconds
    naked_position_seconds: _Seconds


class FeedSettings(_Section):
    """How market data is read."""

    max_connections: _Count


class SimulationSettings(_Section):
    """The simulated exchange of the default run."""

    address: Annotated[str, fields.text(r"[^\s:/]+:[0-9]{1,5}", "HOST:PORT, or null")] | None
    speed: Annotated[Decimal, fields.number("times real time", "1", "1000")]
    seed: Annotated[int, fields.whole("seed", 0, 1_000_000_000)]


class RiskSettings(_Section):
    """What a position and the portfolio may lose."""

    stop_loss_pct: _Fraction
    take_profit_pct: _Fraction
    volatility_sizing: _Flag
    volatility_target: Annotated[Decimal, fields.fraction("0.00001", "0.05")]
    volatility_min_multiplier: _Share
    drawdown_levels: tuple[_Fraction, _Fraction]
    drawdown_size_multiplier: _Share
    drawdown_restore_pct: _Fraction
    drawdown_rearm_pct: _Fraction
    max_portfolio_drawdown_pct: _Fraction
    max_daily_loss_pct: _Fraction
    high_correlation_threshold: _Correlation
    portfolio_loss_streak: _Count
    stale_data_seconds: _Seconds
    malfunction_closes_all: _Flag

    def rules(self, execution: ExecutionSettings) -> RiskRules:
        """Return what one position may lose."""
        return RiskRules(
            stop_loss_fraction=self.stop_loss_pct,
            take_profit_fraction=self.take_profit_pct,
            naked_position_ms=_ms(execution.naked_position_seconds, _SECOND_MS),
            volatility_sizing=self.volatility_sizing,
            volatility_target=float(self.volatility_target),
            volatility_min_multiplier=float(self.volatility_min_multiplier),
        )

    def protection_rules(self, cooldown: GlobalCooldownSettings) -> ProtectionRules:
        """Return what the whole portfolio may lose, and how long it then rests."""
        reduce, emergency = self.drawdown_levels
        return ProtectionRules(
            drawdown_reduce_fraction=reduce,
            drawdown_restore_fraction=self.drawdown_restore_pct,
            drawdown_size_multiplier=self.drawdown_size_multiplier,
            drawdown_emergency_fraction=emergency,
            drawdown_rearm_fraction=self.drawdown_rearm_pct,
            drawdown_halt_fraction=self.max_portfolio_drawdown_pct,
            max_daily_loss_fraction=self.max_daily_loss_pct,
            high_correlation_threshold=float(self.high_correlation_threshold),
            loss_streak=self.portfolio_loss_streak,
            loss_streak_cooldown_ms=_ms(cooldown.loss_streak_cooldown_hours, HOUR_MS),
            emergency_cooldown_ms=_ms(cooldown.emergency_cooldown_hours, HOUR_MS),
            stale_data_ms=_ms(self.stale_data_seconds, _SECOND_MS),
            malfunction_closes_all=self.malfunction_closes_all,
        )


class SupervisionSettings(_Section):
    """When an actor is started again and when it is given up."""

    max_restarts: Annotated[int, fields.whole("restarts", 0, 1000)]
    within_seconds: _Seconds
    backoff_initial_seconds: _Seconds
    backoff_max_seconds: _Seconds
    backoff_jitter_fraction: Annotated[Decimal, fields.fraction("0", "1")]
    hang_seconds: _Seconds
    start_seconds: _Seconds
    shutdown_seconds: _Seconds
    freeze_seconds: _Seconds


class ReplaySettings(_Section):
    """What a simulated fill costs."""

    initial_balance: Annotated[Decimal, fields.number("USDT", "1", "1000000000000")]
    slippage_bps: Annotated[Decimal, fields.basis_points("0.01", "1000")]
    taker_fee_rate: Annotated[Decimal, fields.fraction("0", "0.01")]
    funding_rate: Annotated[Decimal, fields.fraction("-0.05", "0.05")]
    funding_interval_hours: Annotated[int, fields.whole("hours", 1, 24)]

    def rules(self) -> FillRules:
        """Return what the matching engine charges."""
        return FillRules(
            initial_balance=self.initial_balance,
            slippage_fraction=self.slippage_bps * _ONE_BPS,
            taker_fee_rate=self.taker_fee_rate,
            funding_rate=self.funding_rate,
            funding_interval_ms=self.funding_interval_hours * HOUR_MS,
        )


class DatabaseSettings(_Section):
    """Where the journal is."""

    file: Annotated[str, fields.text(r"[^\0]*[^\0\s][^\0]*", "a file name, or null")] | None
    busy_timeout_ms: _Ms


class HealthSettings(_Section):
    """When people are told of the machine, the connections and the mailboxes."""

    every_seconds: Annotated[Decimal, fields.number("seconds", "0.1", "60")]
    for_seconds: Annotated[Decimal, fields.number("seconds", "0", "3600")]
    max_cpu_pct: _Share
    max_memory_pct: _Share
    max_disk_pct: _Share
    max_latency_ms: _Ms
    max_feed_age_seconds: _Seconds
    max_message_age_seconds: _Seconds
    max_clock_offset_ms: _Ms


class LoggingSettings(_Section):
    """What is logged and how long it is kept."""

    level: Annotated[
        str, fields.one_of(("TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"))
    ]
    rotation: _TimeOfDay
    retention_days: Annotated[int, fields.whole("days", 1, 3650)]


class TraceSettings(_Section):
    """What is recorded of each message, and how long it is kept."""

    enabled: _Flag
    ring: Annotated[int, fields.whole("messages", 1, 1_000_000)]
    flush_ms: Annotated[int, fields.whole("milliseconds", 1, 1000)]
    segment_mb: Annotated[int, fields.whole("megabytes", 1, 4096)]
    kept_mb: Annotated[int, fields.whole("megabytes", 1, 10_000_000)]
    retention_days: Annotated[int, fields.whole("days", 1, 3650)]
    tick_every: Annotated[int, fields.whole("ticks", 1, 1_000_000)]
    crash_files: Annotated[int, fields.whole("files", 1, 100_000)]


class ExchangeSettings(_Section):
    """Which account is traded, and where it is."""

    api_key: _Secret | None
    api_secret: _Secret | None
    testnet: _Flag | None
    demo: _Flag | None
    rest_url: (
        Annotated[
            str,
            fields.text(
                f"https://{_HOST}|http://{_HERE}", "https://HOST, http://127.0.0.1:PORT, or null"
            ),
        ]
        | None
    )
    public_stream_url: _StreamUrl | None
    private_stream_url: _StreamUrl | None
    clock_speed: Annotated[Decimal, fields.number("times real time", "1", "1000")]


class KindSettings(_Section):
    """Which kinds of notices go where."""

    telegram: _Kinds
    telegram_admin: _Kinds
    discord: _Kinds
    slack: _Kinds
    email: _Kinds
    other: _Kinds


class NotificationSettings(_Section):
    """Where the operator is told."""

    alert_cooldown_minutes: _Minutes
    report_time: _TimeOfDay | None
    weekly_report_day: Annotated[str, fields.one_of(_WEEKDAYS)]
    max_waiting: Annotated[int, fields.whole("notices", 10, 1_000_000)]
    kinds: KindSettings
    telegram_bot_token: _Secret | None
    telegram_channel_id: (
        Annotated[
            str, fields.text(r"-?[0-9]{1,20}|@\w{1,64}", "a number, @name, or null", shown=False)
        ]
        | None
    )
    telegram_admin_chat_id: (
        Annotated[str, fields.text(r"-?[0-9]{1,20}", "a number, or null", shown=False)] | None
    )
    telegram_server: Annotated[
        str, fields.text(r"https?://[!-~]*[^/\s]", "an http(s) address without a slash at its end")
    ]
    discord_url: _Secret | None
    slack_url: _Secret | None
    email_url: _Secret | None
    other_url: _Secret | None
    heartbeat_url: _SecretUrl | None

    def without_channels(self) -> "NotificationSettings":
        """Return the same with nobody to tell."""
        places = [name for name in type(self).model_fields if name.endswith(("_token", "_url"))]
        return self.model_copy(update=dict.fromkeys(places))

    def rules(self) -> NoticeRules:
        """Return when people are told."""
        minute = None
        if self.report_time is not None:
            hours, minutes = self.report_time.split(":")
            minute = int(hours) * 60 + int(minutes)
        return NoticeRules(
            alert_cooldown_minutes=self.alert_cooldown_minutes,
            report_minute=minute,
            weekly_report_weekday=_WEEKDAYS.index(self.weekly_report_day),
        )


class ControlSettings(_Section):
    """Where commands are taken over HTTP."""

    enabled: _Flag
    host: Annotated[
        str, fields.text(r"[A-Za-z0-9.:-]{1,200}", "an address or name of this machine")
    ]
    port: Annotated[int, fields.whole("port", 0, 65_535)]
    requests_per_second: Annotated[int, fields.whole("requests", 1, 1000)]


class Settings(_Section):
    """All settings of a run.

    Always true: they do not contradict each other (`infra/settings/checks.py`), if made by
    `load_settings`.
    """

    portfolio: PortfolioSettings
    strategy: StrategySettings
    risk: RiskSettings
    cooldown: CooldownSettings
    supervision: SupervisionSettings
    feed: FeedSettings
    execution: ExecutionSettings
    replay: ReplaySettings
    simulation: SimulationSettings
    instruments: Mapping[_Symbol, InstrumentSettings]
    database: DatabaseSettings
    health: HealthSettings
    logging: LoggingSettings
    trace: TraceSettings
    exchange: ExchangeSettings
    notifications: NotificationSettings
    control: ControlSettings

    def trading_rules(self) -> TradingRules:
        """Return the numbers of the strategy as the domain uses them; enabled assets only."""
        assets = self.portfolio.enabled_assets
        return TradingRules(
            strategy=self.strategy.rules(),
            risk=self.risk.rules(self.execution),
            protection=self.risk.protection_rules(self.cooldown.global_settings),
            cooldown=self.cooldown.per_asset_settings.rules(),
            grant=self.portfolio.grant_rules(),
            fills=self.replay.rules(),
            assets=tuple(asset.rules(self.instruments[asset.symbol]) for asset in assets),
        )


def _ms(value: Decimal, unit_ms: int) -> int:
    return int(value * unit_ms)
