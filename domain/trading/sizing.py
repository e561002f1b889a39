"""Sizes of entries, and their first stops (strategy section 5)."""

from dataclasses import dataclass
from decimal import Decimal

from domain.fast_init import fast_init
from domain.market.instruments import Instrument, Side, exact
from domain.rules import AssetRules, RiskRules, StopPolicy

ONE = Decimal(1)


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectiveLevels:
    """Trigger prices of a position's full stop loss and take profit."""

    stop_loss: Decimal
    take_profit: Decimal | None
    """None: the position has no target."""


def volatility_multiplier(volatility: float, rules: RiskRules) -> Decimal:
    """Return the size multiplier for the asset's volatility (5.1)."""
    if not rules.volatility_sizing:
        return ONE
    wanted = rules.volatility_target / volatility if volatility > 0 else 1.0
    return exact(min(1.0, max(rules.volatility_min_multiplier, wanted)))


def target_notional(balance: Decimal, asset: AssetRules, multiplier: Decimal) -> Decimal:
    """Return the target notional of an entry, quote."""
    return balance * asset.allocation_fraction * asset.leverage * multiplier


def order_qty(notional: Decimal, price: Decimal, instrument: Instrument) -> Decimal | None:
    """Return the qty that a notional buys at a price, on the step (5.2).

    Returns:
        None if it is below the instrument's minimum qty or notional.
    """
    qty = instrument.round_qty(min(notional / price, instrument.max_market_order_qty))
    if qty < instrument.min_order_qty or qty * price < instrument.min_notional:
        return None
    return qty


def protective_levels(
    price: Decimal, side: Side, stops: StopPolicy, instrument: Instrument
) -> ProtectiveLevels:
    """Return the first levels around an entry price, which itself need not be on the tick (5.3).

    Each is rounded to the tick toward the entry, so that the loss is never larger than set.
    """
    lose, win = (-ONE, ONE) if side is Side.BUY else (ONE, -ONE)
    target = stops.take_profit_fraction
    return ProtectiveLevels(
        stop_loss=rounded_toward(price, price * (ONE + lose * stops.first_distance), instrument),
        take_profit=None
        if target is None
        else rounded_toward(price, price * (ONE + win * target), instrument),
    )


def rounded_toward(price: Decimal, level: Decimal, instrument: Instrument) -> Decimal:
    """Return a level on the tick, rounded toward a price."""
    if level > price:
        return instrument.round_price_down(level)
    return instrument.round_price_up(level)
