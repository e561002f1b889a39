"""Removes a pair, once it is flat."""

from collections.abc import Callable, Iterable

from loguru import logger

from domain.operator.commands import OperatorCommand
from domain.operator.pairs import PairAction, PairChange, symbol_of
from domain.operator.replies import Reply
from infra.run.pairs.closes import Closes
from infra.run.pairs.members import Members, Origin
from infra.run.pairs.storing import PairChanges, done
from infra.run.pairs.terms import PairTerms, enabled_pairs
from infra.settings.pairs import settings_text
from infra.store.journal import JournalStore
from infra.venues.connection import Connection

_START = "the start"
"""Operator name for removing delisted pairs."""


class Leaving:
    """Blocks the entries of a pair at once, and removes it once it is flat."""

    def __init__(
        self,
        members: Members,
        connection: Connection,
        journals: JournalStore,
        terms: PairTerms,
        changes: PairChanges,
        closes: Closes,
        delisted: Iterable[str],
        forget: Callable[[str], None],
    ) -> None:
        """Keep the parts; nothing leaves yet.

        Args:
            members: the actors, which were or will be started.
            connection: of the run.
            journals: of the run.
            terms: of the pairs.
            changes: of the pairs.
            closes: of the run.
            delisted: symbols no longer traded at the exchange, to be removed.
            forget: called with an asset that has left.
        """
        self._members, self._connection, self._journals = members, connection, journals
        self._terms, self._changes, self._closes = terms, changes, closes
        self._delisted, self._forget = set(delisted), forget

    @property
    def is_wanted(self) -> bool:
        """Whether a pair is leaving."""
        return bool(self._delisted or self._changes.leaving())

    def remove(self, symbol: str, operator: str, origin: Origin) -> Reply:
        """Stop a pair from opening anything, and remove it once it is flat.

        Raises:
            ConfigError: the previous change is not settled.
        """
        self._changes.demand_settled()
        entry = enabled_pairs(self._terms.settings).get(symbol)
        change = PairChange(
            action=PairAction.REMOVE,
            symbol=symbol,
            from_ms=self._closes.now_ms(),
            settings=None if entry is None else settings_text(entry),
        )
        return self._changes.store(change, operator, origin, lambda told: done(told.result, symbol))

    def look(self) -> None:
        """Remove leaving pairs that are flat."""
        self._remove_delisted()
        for asset in self._changes.leaving():
            if not self._changes.is_pending:
                self._look_at(asset)

    def _remove_delisted(self) -> None:
        """Request the removal of each delisted pair once, as soon as the portfolio answers."""
        self._delisted -= {symbol_of(asset) for asset in self._changes.leaving()}
        if self._delisted and self._members.portfolio_snapshot() is not None:
            symbol = self._delisted.pop()
            origin = self._members.note("pairs", f"{symbol} is no longer listed", _START)
            logger.info("pairs: {}", self.remove(symbol, _START, origin).title)

    def _look_at(self, asset: str) -> None:
        """Remove an asset if it is flat, and none of its orders is in flight or unknown."""
        seen = self._members.portfolio_snapshot()
        if seen is None or asset in seen.positions or self._is_under_way(asset):
            return
        if self._connection.account.open_there(symbol_of(asset)):
            return
        change = PairChange(
            action=PairAction.LEAVE, symbol=symbol_of(asset), from_ms=self._closes.next_ms()
        )
        origin = self._members.note("pairs", f"{asset} is flat", "pairs")

        def finish(stored: OperatorCommand) -> Reply:
            settings, rules = self._terms.after(self._changes.stored)
            self._terms.hold(settings, rules, "pairs", origin)
            self._members.leave(rules, asset)
            self._forget(asset)
            return done(stored.result, asset)

        self._changes.store(change, "pairs", origin, finish)

    def _is_under_way(self, asset: str) -> bool:
        with self._journals.connected():
            orders = self._journals.open("pairs", lambda: None).orders(asset)
        return any(order.is_under_way for order in orders)
