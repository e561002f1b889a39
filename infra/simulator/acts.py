"""What people and the exchange itself do to a position, on a fault's behalf."""

from domain.market import Instrument, Side
from domain.positions import ZERO, Position
from domain.rules import FillRules
from infra.simulator.faults.kinds import Kind
from infra.simulator.faults.spec import FaultSpec
from infra.simulator.prices.market import Market
from infra.simulator.trading.venue import Venue


def act_on_position(
    venue: Venue, market: Market, fills: FillRules, instrument: Instrument, spec: FaultSpec
) -> None:
    """Do to one symbol's position what a fault asks for; mostly nothing where it is flat."""
    symbol = instrument.symbol
    position = venue.account.position(symbol)
    if spec.kind is Kind.POSITION_OPENED:
        side = Side.BUY if spec.side == "Buy" else Side.SELL
        qty = spec.qty or instrument.min_order_qty * 10
        venue.force.trade_by_hand(symbol, side, qty, reduce_only=False)
    elif position is None:
        return
    elif spec.kind is Kind.FUNDING:
        rate = fills.funding_rate if spec.rate is None else spec.rate
        venue.bookings.settle_funding(
            symbol, market.mark_price(symbol), rate, venue.ledger.now_ms()
        )
    elif spec.kind is Kind.STOP_REMOVED:
        if venue.protection.levels(symbol):
            venue.trading_stop(symbol, ZERO, ZERO)
    elif spec.kind is Kind.POSITION_CLOSED:
        _close(venue, position, spec)
    elif spec.kind is Kind.LIQUIDATION:
        venue.force.liquidate(symbol)
    elif spec.kind is Kind.ADL:
        venue.force.deleverage(symbol, spec.fraction)


def _close(venue: Venue, position: Position, spec: FaultSpec) -> None:
    side = Side.BUY if position.side is Side.SELL else Side.SELL
    qty = position.qty if spec.qty is None else min(spec.qty, position.qty)
    venue.force.trade_by_hand(position.asset, side, qty, reduce_only=True)
