"""Our own orders that are missing from the journal: what their ids still tell.

An intent is stored before its order is sent. Where the exchange knows one of our ids and the
journal does not, facts were lost: the journal is an older copy, or another system trades this
account under the same ids.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from domain.trading.books import Books
from domain.trading.orders import ExitReason, OrderId, Purpose, read_order_id
from domain.trading.positions import Execution, Position

_CLOSES = {
    Purpose.OPERATOR: ExitReason.OPERATOR,
    Purpose.REDUCE: ExitReason.REDUCE,
    Purpose.NAKED: ExitReason.NAKED,
    # Which one fired was only in the lost decision.
    Purpose.EMERGENCY: ExitReason.MALFUNCTION,
}


def _lost_order(execution: Execution, books: Books) -> OrderId | None:
    """Return the parts of an execution's order id, if it is ours and not in the journal."""
    if not books.lacks_order(execution):
        return None
    return read_order_id(execution.asset, execution.client_order_id)


def recognized(execution: Execution, books: Books, *, max_hold_ms: int | None) -> Execution:
    """Return an execution, completed from the id of its lost order.

    Args:
        execution: as the exchange reports it.
        books: with everything executed before it.
        max_hold_ms: the longest holding time; tells the asset's own two exits apart.
    """
    found = _lost_order(execution, books)
    if found is None:
        return execution
    reason = _reason(found, books.position, max_hold_ms)
    return replace(execution, decided_ms=found.decided_ms, reason=reason)


def lost_executions(listed: Iterable[Execution], books: Books) -> Iterator[Execution]:
    """Yield unbooked executions, as listed by the exchange, of orders that the journal lacks."""
    for execution in listed:
        if not books.has_booked(execution.exec_id) and books.lacks_order(execution):
            yield execution


def _reason(
    found: OrderId, position: Position | None, max_hold_ms: int | None
) -> ExitReason | None:
    if found.purpose is Purpose.ENTRY:
        return None
    if found.purpose in _CLOSES:
        return _CLOSES[found.purpose]
    held_ms = 0 if position is None else found.decided_ms - position.opened_ms
    is_time = max_hold_ms is not None and held_ms >= max_hold_ms
    return ExitReason.TIME if is_time else ExitReason.REGIME
