"""Settings and rules of a run with a different set of pairs."""

from collections.abc import Sequence
from dataclasses import replace

from domain.errors import ConfigError
from domain.market.instruments import Instrument
from domain.operator.pairs import PairChange, joined_ms
from domain.rules import TradingRules
from infra.operator.reload import Reload
from infra.run.journals import record_assets
from infra.run.pairs.closes import Closes
from infra.run.pairs.members import Members, Origin
from infra.settings import Settings, SettingsSource
from infra.settings.sections.assets import AssetSettings
from infra.store.journal import JournalStore
from infra.store.settings_record import SettingsRecord


class PairTerms:
    """The settings in force, and those after a change."""

    def __init__(
        self,
        source: SettingsSource,
        reload: Reload,
        members: Members,
        journals: JournalStore,
        closes: Closes,
    ) -> None:
        """Keep the parts; nothing is changed yet.

        Args:
            source: of the settings, as read at the start.
            reload: has the settings in force.
            members: have the rules in force.
            journals: of the run.
            closes: of the run.
        """
        self._source, self._reload, self._members = source, reload, members
        self._journals, self._closes = journals, closes

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._reload.settings

    def entry(self, symbol: str, like: str | None) -> AssetSettings:
        """Return the entry of a pair in the settings.

        Args:
            symbol: of the pair.
            like: symbol of a pair whose terms it copies; None: its own, or else its section's.

        Raises:
            ConfigError: that pair is not traded, or the strategy is ambiguous.
        """
        portfolio = self.settings.portfolio
        if like is not None:
            return self._traded(like).model_copy(update={"symbol": symbol, "enabled": True})
        known = [entry for entry in portfolio.assets if entry.symbol == symbol]
        if known:
            return known[0].model_copy(update={"enabled": True})
        strategies = {entry.strategy for entry in portfolio.enabled_assets}
        if len(strategies) > 1:
            names = ", ".join(sorted(strategies))
            raise ConfigError(f"the pairs have different strategies ({names}): name one by --like")
        return AssetSettings(symbol=symbol, strategy=strategies.pop())

    def _traded(self, symbol: str) -> AssetSettings:
        traded = enabled_pairs(self.settings)
        if symbol not in traded:
            raise ConfigError(f"{symbol} is not traded; expected {', '.join(traded)}")
        return traded[symbol]

    def after(
        self, changes: Sequence[PairChange], joining: Instrument | None = None
    ) -> tuple[Settings, TradingRules]:
        """Return the settings and rules of the run after changes of pairs.

        Args:
            changes: all of them, oldest first.
            joining: instrument of the pair added by the newest; None: none is added.

        Raises:
            ConfigError: the settings would contradict each other.
        """
        found = self._source.settings(pairs=changes)
        settings = self.settings.model_copy(
            update={"portfolio": found.portfolio, "instruments": found.instruments}
        )
        said, present = settings.trading_rules(), self._members.rules
        known = {rules.asset: rules for rules in present.assets}
        assets = (
            known.get(rules.asset) or replace(rules, instrument=joining or rules.instrument)
            for rules in said.assets
        )
        return settings, replace(
            present,
            assets=tuple(assets),
            approval=said.approval,
            order=said.order,
            joins_ms=joined_ms(changes),
        )

    def hold(self, settings: Settings, rules: TradingRules, operator: str, origin: Origin) -> None:
        """Store the settings and instruments that are in force from now on."""
        self._reload.settings = settings
        record = SettingsRecord(self._journals)
        record.note(settings, operator, self._closes.now_ms(), lambda: origin)
        with self._journals.connected():
            record_assets(self._journals, rules)


def enabled_pairs(settings: Settings) -> dict[str, AssetSettings]:
    """Return the traded pairs by symbol."""
    return {entry.symbol: entry for entry in settings.portfolio.enabled_assets}
