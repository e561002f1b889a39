"""Clients' requests for orders and stops, parsed but not checked."""

from dataclasses import dataclass
from decimal import Decimal

from domain.market.instruments import Side
from infra.venues.simulator.position_keys import position_key


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An order requested by a client."""

    symbol: str
    side: Side
    is_market: bool
    qty: Decimal
    price: Decimal | None
    time_in_force: str
    position_idx: int
    link_id: str
    reduce_only: bool
    close_on_trigger: bool
    stop_loss: Decimal | None
    take_profit: Decimal | None
    sl_trigger_by: str
    tp_trigger_by: str
    trigger_price: Decimal | None
    trigger_direction: int
    trigger_by: str
    tpsl_mode: str
    """Full or Partial: whether its stops protect the whole position or only its own fills."""
    sl_limit_price: Decimal | None
    tp_limit_price: Decimal | None
    """Limit prices of stops that become limit orders; Partial only."""
    slippage_type: str
    slippage_tolerance: Decimal | None
    smp_type: str
    takes_rpi: bool

    @property
    def key(self) -> str:
        """Key of its position."""
        return position_key(self.symbol, self.position_idx)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """A client's change of an order; None leaves a value, 0 removes a stop."""

    qty: Decimal | None
    price: Decimal | None
    trigger_price: Decimal | None
    trigger_by: str
    stop_loss: Decimal | None
    take_profit: Decimal | None
    sl_trigger_by: str
    tp_trigger_by: str
    tpsl_mode: str
    sl_limit_price: Decimal | None
    tp_limit_price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """The stops requested for a position; None leaves one, 0 removes it."""

    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    sl_trigger_by: str = "LastPrice"
    tp_trigger_by: str = "LastPrice"
    trailing_distance: Decimal | None = None
    """Distance of a trailing stop behind the best price, quote per base."""
    active_price: Decimal | None = None
    """Price at which a trailing stop becomes active; None: at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialStops:
    """Stops of a part of a position; if there are two, either cancels the other."""

    qty: Decimal
    stop_loss: Decimal | None
    take_profit: Decimal | None
    sl_trigger_by: str
    tp_trigger_by: str
    sl_limit_price: Decimal | None
    tp_limit_price: Decimal | None
    parent_link_id: str = ""
    """Id of the order that brought them."""
