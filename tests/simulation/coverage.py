"""What was met: how often a process died where, while orders were in which state."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from domain.trading.order import Order
from domain.trading.orders import OrderStatus
from infra.venues.simulator.records import Status, VenueOrder
from tests.simulation.exchange import Exchange
from tests.simulation.stored import Stored

STATES = (
    "nothing open",
    "position open",
    "position without a stop",
    "intent stored, not at the exchange",
    "outcome unknown",
    "resting, known",
    "resting, not known",
    "filled in part",
    "filled, not booked",
    "refused or canceled, not known",
)
_ENDED = (Status.REJECTED, Status.CANCELLED, Status.DEACTIVATED)


def states_of(exchange: Exchange, stored: Stored) -> Iterator[str]:
    """Yield in which states the orders and positions of an account are at a moment."""
    open_now = [row for row in exchange.positions() if float(row["size"])]
    yield "position open" if open_now else "nothing open"
    if any(not float(row["stopLoss"] or 0) for row in open_now):
        yield "position without a stop"
    if not stored.booked.issuperset(e.exec_id for e in exchange.account.executions):
        yield "filled, not booked"
    there = {order.link_id: order for order in exchange.venue.ledger.orders.values()}
    for order in stored.orders.values():
        if order.is_under_way:
            yield from _under_way(order, there.get(order.client_order_id))


def _under_way(order: Order, found: VenueOrder | None) -> Iterator[str]:
    if order.state.status is OrderStatus.UNKNOWN:
        yield "outcome unknown"
    if found is None:
        yield "intent stored, not at the exchange"
    elif found.status is Status.PARTIALLY_FILLED:
        yield "filled in part"
    elif found.status in _ENDED:
        yield "refused or canceled, not known"
    elif found.status is not Status.FILLED:
        is_known = order.state.status is OrderStatus.ACCEPTED
        yield "resting, known" if is_known else "resting, not known"


Pairs = Counter[tuple[str, str]]
"""How often each place of a death was met in each state."""


def places_of(pairs: Collection[tuple[str, str]]) -> list[str]:
    """Return where processes died, in the order of the alphabet."""
    return sorted({place for place, _ in pairs})


def never_met(pairs: Pairs) -> Sequence[tuple[str, str]]:
    """Return the pairs of a place that was met and a state that were not met together."""
    places = places_of(pairs)
    return [(place, state) for place in places for state in STATES if not pairs[place, state]]
