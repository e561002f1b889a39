"""Restores a market and a venue from what an earlier run left."""

from collections.abc import Collection
from decimal import Decimal
from pathlib import Path

from domain.errors import ConfigError
from infra.venues.simulator.books.account import Account
from infra.venues.simulator.books.tiers import MarginMode
from infra.venues.simulator.memory.state_file import KLINES, Memory
from infra.venues.simulator.prices.candles import Kline
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.records import AccountState, Deposit, VenueExecution
from infra.venues.simulator.trading.venue import Venue


def check_symbols(memory: Memory, known: Collection[str], where: Path | None) -> None:
    """Refuse the state of an exchange with symbols that no longer exist.

    Raises:
        ConfigError: names the missing symbols.
    """
    unknown = sorted({order.symbol for order in memory.orders}.difference(known))
    if unknown:
        raise ConfigError(
            f"{where}: was traded in {', '.join(unknown)}, which the settings no"
            " longer have: name them under instruments, or start with another file"
        )


def restore_market(memory: Memory, market: Market) -> None:
    """Restore the candles that happened, and the prices moved by hand."""
    klines: dict[str, list[Kline]] = {}
    for happened in memory.klines:
        for symbol, kline in KLINES.validate_python(happened).items():
            klines.setdefault(symbol, []).append(kline)
    market.restore(klines, memory.factors)


def restore_venue(memory: Memory, venue: Venue) -> None:
    """Restore orders, executions, money, stops and settings."""
    if memory.account is not None:
        _restore_account(memory, memory.account, venue)
    events: list[VenueExecution | Deposit] = [*memory.executions, *memory.deposits]
    for event in sorted(events, key=lambda event: event.seq):
        venue.ledger.skip_to(event.seq)
        if isinstance(event, Deposit):
            venue.account.deposit(event.amount, event.seq, event.ts_ms)
        else:
            venue.account.restore(event)
    for key, (amount, opened_ms) in memory.margins.items():
        book = venue.account.books[key]
        if venue.account.position(key) is not None and book.opened_ms == opened_ms:
            book.added_margin = amount
    for order in memory.orders:
        venue.restore_order(order)
    venue.protection.records += memory.stops
    if memory.settings:
        _restore_settings(memory, venue.account)


def _restore_account(memory: Memory, state: AccountState, venue: Venue) -> None:
    account = venue.account
    account.resume(state)
    account.transactions += memory.transactions
    account.executions += [transaction.execution for transaction in memory.transactions]
    account.closed += memory.closed
    account.deposits += memory.past_deposits
    venue.ledger.skip_to(state.seq)


def _restore_settings(memory: Memory, account: Account) -> None:
    account.margin_mode = MarginMode(memory.settings["margin_mode"])
    account.hedged |= {*memory.settings.get("hedged", ())}
    adding = {*memory.settings.get("adds_margin", ())}
    for key, book in account.books.items():
        book.adds_margin = key in adding
    for symbol, leverage in memory.settings["leverage"].items():
        if symbol in account.books:
            account.books[symbol].leverage = Decimal(leverage)
