"""All settings of a run."""

from collections.abc import Mapping

from domain.rules import TradingRules
from infra.settings.sections.assets import InstrumentSettings, PortfolioSettings
from infra.settings.sections.exchange import (
    ExchangeSettings,
    FeedSettings,
    ReplaySettings,
    SimulationSettings,
)
from infra.settings.sections.people import ControlSettings, NotificationSettings
from infra.settings.sections.running import (
    DatabaseSettings,
    HealthSettings,
    LoggingSettings,
    StartSettings,
    SupervisionSettings,
    TraceSettings,
)
from infra.settings.sections.strategy import (
    CooldownSettings,
    ExecutionSettings,
    RiskSettings,
    StrategySettings,
)
from infra.settings.sections.values import Section, Symbol


class Settings(Section):
    """All settings of a run.

    Always true: they do not contradict each other (`infra/settings/checks.py`), if made by
    `load_settings`.
    """

    portfolio: PortfolioSettings
    strategy: StrategySettings
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
            approval=self.portfolio.grant_rules(),
            fills=self.replay.rules(),
            assets=tuple(asset.rules(self.instruments[asset.symbol]) for asset in assets),
        )
