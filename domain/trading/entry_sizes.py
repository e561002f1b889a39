"""Entries that the capital is too small for."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from domain.market.instruments import Instrument
from domain.rules import AssetRules, TradingRules
from domain.trading.sizing import ONE, target_notional

RECOMMENDED_CAPITAL = Decimal(10_000)
"""Quote. Warn below it: the entries of several pairs are close to the smallest orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySize:
    """An asset's entry sizes and its smallest order at a price; quote."""

    symbol: str
    full: Decimal
    reduced: Decimal
    """The smallest entry that drawdown and approval allow before they deny it."""
    least: Decimal
    """The smallest order."""
    least_capital: Decimal
    """Capital with which a full entry is the smallest order."""


def entry_size(
    asset: AssetRules,
    instrument: Instrument,
    rules: TradingRules,
    price: Decimal,
    capital: Decimal,
) -> EntrySize:
    """Return an asset's entry sizes.

    Args:
        asset: its allocation and leverage.
        instrument: with the venue's filters.
        rules: what may reduce an entry.
        price: quote.
        capital: the capital that sizing uses, quote.
    """
    full = target_notional(capital, asset, ONE)
    factors = (multiplier for _, multiplier in rules.protection.drawdown_steps)
    least = smallest_order(instrument, price)
    return EntrySize(
        symbol=instrument.symbol,
        full=full,
        reduced=full * min(factors, default=ONE) * rules.approval.min_entry_fraction,
        least=least,
        least_capital=least / (asset.allocation_fraction * asset.leverage),
    )


def smallest_order(instrument: Instrument, price: Decimal) -> Decimal:
    """Return the notional of the smallest order at a price, on the step; quote."""
    steps = instrument.min_notional / price / instrument.qty_step
    on_step = steps.to_integral_value(rounding=ROUND_CEILING) * instrument.qty_step
    return max(instrument.min_order_qty, on_step) * price
