"""The books of a run, rebuilt from its stored executions."""

from decimal import Decimal

from domain.rules import TradingRules
from domain.trading.positions import Position, book
from infra.store.journal import JournalStore


def books_of(journals: JournalStore, rules: TradingRules) -> tuple[Decimal, list[Position]]:
    """Return balance and open positions; requires a connection to the journal."""
    journal = journals.open("runtime", lambda: None)
    balance, positions = rules.fills.initial_balance, []
    for asset in rules.assets:
        position = None
        for stored in journal.executions(asset.asset):
            booked = book(position, stored.execution)
            position, balance = booked.position, balance + booked.cash
        if position is not None:
            positions.append(position)
    return balance, positions
