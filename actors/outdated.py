"""Checks at the start, before any decisions, whether the journal lacks orders of ours."""

from collections.abc import Iterator

from loguru import logger

from actors.names import PORTFOLIO, execution_name
from actors.operator.ports import FactStore
from actors.ports import Exchange
from actors.watch import journal_outdated
from domain.errors import JournalError
from domain.portfolio.protection import halt
from domain.rules import TradingRules
from domain.trading.books import Books
from domain.trading.order import Order
from domain.trading.orders import Intent
from domain.trading.positions import Execution
from domain.trading.recovery import lost_executions


def halt_if_outdated(
    journals: FactStore,
    exchange: Exchange,
    rules: TradingRules,
    facts_until_ms: int | None,
    now_ms: int,
) -> None:
    """Block entries until a rearm if the exchange knows orders of ours that the journal lacks.

    Args:
        journals: of a run that has traded before.
        exchange: queried for executions since then.
        rules: the assets.
        facts_until_ms: when the newest fact was stored.
        now_ms: the present.

    Raises:
        UnavailableError: the exchange does not answer.
    """
    known_ms = now_ms if facts_until_ms is None else facts_until_ms
    with journals.connected():
        lost = [
            found
            for asset in rules.assets
            for found in _lost(journals, exchange, asset.asset, known_ms, now_ms)
        ]
        journal = journals.open(PORTFOLIO, lambda: None)
        state, oldest = journal.newest_state(), journal.oldest_state()
        if state is None or oldest is None:
            return
        # Orders older than the journal cannot be in any copy of it.
        lost = [found for found in lost if found.ts_ms > oldest.t_ms]
        if not lost:
            return
        newest = max(lost, key=lambda execution: execution.ts_ms)
        found = journal_outdated(newest.client_order_id or "", newest.ts_ms, facts_until_ms, now_ms)
        try:
            journal.append(halt(state), found)
        except JournalError as error:
            # The executions find it as well, and the portfolio can wait for disk space.
            logger.warning("{}, which cannot be stored yet: {}", found.result, error)


def _lost(
    journals: FactStore, exchange: Exchange, asset: str, known_ms: int, now_ms: int
) -> list[Execution]:
    journal = journals.open(execution_name(asset), lambda: None)
    stored = [fact.execution for fact in journal.executions(asset)]
    waiting = [Order(intent=kept.fact) for kept in journal.kept() if isinstance(kept.fact, Intent)]
    books = Books([*journal.orders(asset), *waiting], stored, known_ms)
    return list(lost_executions(exchange.executions(asset, books.since_ms(now_ms)), books))


def open_assets(exchange: Exchange, rules: TradingRules) -> Iterator[str]:
    """Yield the assets with open positions at the exchange."""
    for asset in rules.assets:
        if exchange.venue_position(asset.asset).signed_qty:
            yield asset.asset
