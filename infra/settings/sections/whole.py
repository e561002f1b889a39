"""All settings of a run."""

from collections.abc import Mapping
from dataclasses import replace

from domain.rules import TradingRules
from infra.settings.sections.assets import InstrumentSettings, PortfolioSettings
from infra.settings.sections.exchange import (
    ExchangeSettings,
    FeedSettings,
    ReplaySettings,
    SimulationSettings,
)
from infra.settings.sections.operator import ControlSettings, NotificationSettings, WebSettings
from infra.settings.sections.running import (
    BackupSettings,
    DatabaseSettings,
    EventSettings,
    HealthSettings,
    LoggingSettings,
    StartSettings,
    StorageSettings,
    SupervisionSettings,
    TraceSettings,
)
from infra.settings.sections.strategy import (
    ConfirmedTrendSettings,
    CooldownSettings,
    ExecutionSettings,
    RiskSettings,
    StrategySettings,
)
from infra.settings.sections.terms import asset_rules
from infra.settings.sections.values import Section, Symbol


class Settings(Section):
    """All settings of a run.

    Always true: they do not contradict each other (`infra/settings/checks.py`), if made by
    `load_settings`.
    """

    portfolio: PortfolioSettings
    strategy: StrategySettings
    confirmed_trend_long: ConfirmedTrendSettings
    risk: RiskSettings
    cooldown: CooldownSettings
    supervision: SupervisionSettings
    start: StartSettings
    feed: FeedSettings
    execution: ExecutionSettings
    replay: ReplaySettings
    simulation: SimulationSettings
    instruments: Mapping[Symbol, InstrumentSettings]
    database: DatabaseSettings
    events: EventSettings
    storage: StorageSettings
    backup: BackupSettings
    health: HealthSettings
    logging: LoggingSettings
    trace: TraceSettings
    exchange: ExchangeSettings
    notifications: NotificationSettings
    control: ControlSettings
    web: WebSettings

    def trading_rules(self) -> TradingRules:
        """Return the numbers of the strategy as the domain uses them; enabled assets only."""
        portfolio = self.portfolio
        loss, capital = portfolio.emergency_liquidation_loss_pct, portfolio.total_capital
        fills = self.replay.rules()
        return TradingRules(
            candles=self.strategy.candle_rules(),
            risk=self.risk.rules(self.execution),
            protection=self.risk.protection_rules(
                self.cooldown.global_settings, None if loss is None else -loss
            ),
            cooldown=self.cooldown.per_asset_settings.rules(),
            approval=portfolio.grant_rules(),
            fills=fills if capital is None else replace(fills, initial_balance=capital),
            assets=tuple(
                asset_rules(
                    asset,
                    self.instruments[asset.symbol].instrument(asset.symbol),
                    self.strategy,
                    self.confirmed_trend_long,
                    self.risk,
                )
                for asset in portfolio.enabled_assets
            ),
            total_capital=capital,
            order=portfolio.order,
        )
