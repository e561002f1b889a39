"""A script's configuration of portfolio and pairs: percent, `Decimal('5')` for 5 percent."""

from dataclasses import dataclass, replace
from decimal import Decimal

from domain.errors import ConfigError
from domain.market.instruments import Instrument
from domain.rules import AssetRules, EntryTerms, StopPolicy, TradingRules
from domain.strategies.base import StrategySpec

_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairConfig:
    """One pair. Percentages of the capital, or of the price."""

    symbol: str
    """Base coin: BTC."""
    instrument: Instrument
    strategy: StrategySpec
    position_size_pct: Decimal = Decimal(5)
    leverage: Decimal = Decimal(1)
    trail_pct: Decimal | None = Decimal(2)
    min_ratchet_pct: Decimal = Decimal(1)
    stop_loss_pct: Decimal | None = None
    take_profit_pct: Decimal | None = None
    correlation_group: str | None = None

    def rules(self) -> AssetRules:
        """Return the domain's rules, in fractions.

        Raises:
            ConfigError: a percentage is out of range, or the pair has no stop.
        """
        if self.trail_pct is None and self.stop_loss_pct is None:
            raise ConfigError(f"{self.symbol}: expected trail_pct or stop_loss_pct, found neither")
        if self.leverage < 1:
            raise ConfigError(f"{self.symbol}: expected a leverage of 1 or more: {self.leverage}")
        stops = StopPolicy(
            stop_loss_fraction=_optional(self.symbol, "stop_loss_pct", self.stop_loss_pct),
            take_profit_fraction=_optional(self.symbol, "take_profit_pct", self.take_profit_pct),
            trail_fraction=_optional(self.symbol, "trail_pct", self.trail_pct),
            min_ratchet_fraction=fraction_of(self.symbol, "min_ratchet_pct", self.min_ratchet_pct),
            max_hold_ms=None,
        )
        return AssetRules(
            asset=self.symbol,
            allocation_fraction=fraction_of(
                self.symbol, "position_size_pct", self.position_size_pct
            ),
            leverage=self.leverage,
            instrument=self.instrument,
            terms=EntryTerms(strategy=self.strategy, stops=stops),
            correlation_group=self.correlation_group,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioConfig:
    """The limits over all pairs, in percent; None: no limit."""

    total_capital: Decimal
    """Quote."""
    max_total_exposure_pct: Decimal = Decimal(100)
    max_positions: int | None = None
    max_position_size_pct: Decimal | None = None
    max_correlated_exposure_pct: Decimal | None = None
    max_concentration_pct: Decimal | None = None
    rebalance_threshold_pct: Decimal | None = Decimal(10)
    emergency_liquidation_loss_pct: Decimal | None = Decimal(-10)

    def applied_to(self, base: TradingRules, pairs: tuple[AssetRules, ...]) -> TradingRules:
        """Return rules with these limits and pairs; everything else is unchanged.

        Raises:
            ConfigError: a percentage is out of range.
        """
        loss = self.emergency_liquidation_loss_pct
        approval = replace(
            base.approval,
            max_total_exposure=self.max_total_exposure_pct / _HUNDRED,
            max_positions=len(pairs) if self.max_positions is None else self.max_positions,
            max_simultaneous_entries=None,
            max_position_size=self._limit("max_position_size_pct"),
            max_correlated_exposure=self._limit("max_correlated_exposure_pct"),
            max_concentration=self._limit("max_concentration_pct"),
            rebalance_threshold=self._limit("rebalance_threshold_pct"),
        )
        capital_loss = None
        if loss is not None:
            capital_loss = fraction_of("portfolio", "emergency_liquidation_loss_pct", -loss)
        return replace(
            base,
            approval=approval,
            protection=replace(base.protection, capital_loss_fraction=capital_loss),
            fills=replace(base.fills, initial_balance=self.total_capital),
            assets=pairs,
        )

    def _limit(self, name: str) -> Decimal | None:
        return _optional("portfolio", name, getattr(self, name))


def fraction_of(whose: str, name: str, percent: Decimal) -> Decimal:
    """Return percent as a fraction.

    Raises:
        ConfigError: it is not above 0 and at most 1000.
    """
    if not 0 < percent <= 10 * _HUNDRED:
        message = f"{whose}.{name}: expected percent above 0, like Decimal('5'), found {percent}"
        raise ConfigError(message)
    return percent / _HUNDRED


def _optional(whose: str, name: str, percent: Decimal | None) -> Decimal | None:
    return None if percent is None else fraction_of(whose, name, percent)
