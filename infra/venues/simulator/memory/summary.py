"""The records that still count: the lines of a rewritten state file."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from infra.venues.simulator.memory.state_file import (
    ACCOUNTS,
    CLOSED,
    DEPOSITS,
    ORDERS,
    STOPS,
    TRANSACTIONS,
)
from infra.venues.simulator.records import VenueOrder
from infra.venues.simulator.trading.venue import Venue

Lines = Iterator[tuple[str, Any]]


def summary(venue: Venue, kept: int) -> Lines:
    """Yield the lines from which a venue can continue: its state, and its newest history.

    Args:
        venue: with all its orders and books.
        kept: how many closed orders, transactions and records of stops are remembered.
    """
    account = venue.account
    for transaction in account.transactions[-kept:]:
        yield "transaction", TRANSACTIONS.dump_python(transaction, mode="json")
    for closed in account.closed[-kept:]:
        yield "closed", CLOSED.dump_python(closed, mode="json")
    for deposit in account.deposits[-kept:]:
        yield "past_deposit", DEPOSITS.dump_python(deposit, mode="json")
    yield "account", ACCOUNTS.dump_python(account.state(venue.ledger.seq), mode="json")
    for order in _orders(venue, kept):
        yield "order", ORDERS.dump_python(order, mode="json")
    for record in venue.protection.records[-kept:]:
        yield "stops", STOPS.dump_python(record, mode="json")


def _orders(venue: Venue, kept: int) -> list[VenueOrder]:
    waiting = {order.order_id for order in venue.ledger.open_orders()}
    orders = venue.ledger.orders
    newest = {*islice(reversed(orders), kept)}
    return [order for number, order in orders.items() if number in waiting or number in newest]
