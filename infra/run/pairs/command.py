"""The command `pairs`, and the thread that finishes what cannot be done at once."""

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Self

from loguru import logger

from domain.errors import ConfigError
from domain.operator.commands import LIST
from domain.operator.pairs import PairAction, PairChange, symbol_of
from domain.operator.replies import Reply, ReplyCode, ReplyTable
from domain.operator.wording import utc
from domain.rules import TradingRules
from infra.operator.reload import Reload
from infra.run.pairs.closes import Closes
from infra.run.pairs.joining import Joining
from infra.run.pairs.leaving import Leaving
from infra.run.pairs.members import Members, Origin
from infra.run.pairs.storing import PairChanges, refused
from infra.run.pairs.terms import PairTerms, enabled_pairs
from infra.settings import SettingsSource
from infra.store.journal import JournalStore
from infra.venues.connection import Connection

_LOOK_S = 1.0
"""Pause between two checks whether a leaving pair is flat."""
_PATIENCE_S = 5.0


class Pairs:
    """Makes one change at a time; leaving pairs are watched by a thread."""

    def __init__(
        self,
        members: Members,
        connection: Connection,
        journals: JournalStore,
        reload: Reload,
        changes: Sequence[PairChange],
        source: SettingsSource,
        *,
        speed: float,
        delisted: Iterable[str] = (),
    ) -> None:
        """Keep the parts; nothing is watched yet.

        Args:
            members: the actors, which were or will be started.
            connection: of the run.
            journals: of the run.
            reload: knows the settings in force.
            changes: stored ones, oldest first.
            source: of the settings, as read at the start.
            speed: of the exchange's clock.
            delisted: symbols no longer traded at the exchange, to be removed.
        """
        self._members = members
        self._of_file = enabled_pairs(source.settings())
        self._lock = threading.Lock()
        """Held during a change."""
        self._is_over = threading.Event()
        self._is_wanted = threading.Event()
        """Set if a pair is leaving, or a change waits for the portfolio."""
        self._closes = closes = Closes(connection, members, speed)
        self._changes = PairChanges(changes, members, journals, self._is_wanted.set)
        self._terms = PairTerms(source, reload, members, journals, closes)
        shared = (members, connection, journals, self._terms, self._changes, closes)
        self._joining = Joining(*shared)
        self._leaving = Leaving(*shared, delisted, self._joining.forget)
        self._thread = threading.Thread(target=self._watch, name="pairs", daemon=True)

    def __enter__(self) -> Self:
        """Start watching leaving pairs; once."""
        if self._leaving.is_wanted:
            self._is_wanted.set()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._is_over.set()
        self._is_wanted.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_S)

    @property
    def changes(self) -> Sequence[PairChange]:
        """All stored changes, oldest first."""
        return self._changes.stored

    def __call__(self, operator: str, argument: str, origin: Origin) -> Reply:
        """Carry out the command, or answer the query.

        Args:
            operator: the requester.
            argument: of the form `Parameter.PAIR`.
            origin: the message that causes what is stored.

        Raises:
            ConfigError: the pair cannot be traded; nothing was changed.
        """
        words = argument.split()
        if words[0] == LIST:
            return self._list()
        with self._lock:
            symbol = symbol_of(words[1])
            if words[0] == PairAction.REMOVE:
                return self._leaving.remove(symbol, operator, origin)
            like = symbol_of(words[3]) if len(words) > 2 else None  # noqa: PLR2004
            entry = partial(self._terms.entry, symbol, like)
            return self._joining.add(entry, symbol, operator, origin)

    def follow(self, source: SettingsSource, operator: str, origin: Origin) -> dict[str, Reply]:
        """Let pairs join and leave as the settings file has changed since it was last read.

        Args:
            source: the file as it is now.
            operator: the requester.
            origin: the message that causes it.

        Returns:
            The result of each, by the command that would have done the same.
        """
        now, before = enabled_pairs(source.settings()), self._of_file
        with self._lock:
            traded = {rules.instrument.symbol for rules in self._members.rules.assets}
            added = [each for each in now if each not in before and each not in traded]
            removed = [each for each in before if each not in now and each in traded]
            replies = {
                f"pairs add {symbol}": _tried(
                    self._joining.add, partial(now.__getitem__, symbol), symbol, operator, origin
                )
                for symbol in added
            }
            replies |= {
                f"pairs remove {symbol}": _tried(self._leaving.remove, symbol, operator, origin)
                for symbol in removed
            }
            self._of_file = now
        return replies

    def _list(self) -> Reply:
        newest, rules = self._changes.newest, self._members.rules
        rows = tuple(
            (
                asset.asset,
                str(asset.terms.strategy.name),
                f"{asset.allocation_fraction:f}",
                f"{asset.leverage:f}",
                self._state_of(asset.asset, rules),
                "a command" if asset.instrument.symbol in newest else "the settings",
            )
            for asset in rules.assets
        )
        left = sorted(c.asset for c in newest.values() if c.action is PairAction.LEAVE)
        return Reply(
            code=ReplyCode.DONE,
            title=f"{len(rows)} pairs are traded",
            lines=(f"Removed by a command: {', '.join(left)}",) if left else (),
            table=ReplyTable(
                columns=("pair", "strategy", "allocation", "leverage", "state", "by"), rows=rows
            ),
            data={
                "pairs": [row[0] for row in rows],
                "leaving": sorted(self._changes.leaving()),
                "removed": left,
                "joins_ms": dict(rules.joins_ms),
            },
        )

    def _state_of(self, asset: str, rules: TradingRules) -> str:
        if asset in self._changes.leaving():
            return "leaves once it is flat"
        joins_ms = rules.joins_ms.get(asset, 0)
        is_coming = joins_ms > self._closes.now_ms()
        return f"joins at {utc(joins_ms)}" if is_coming else "traded"

    def _watch(self) -> None:
        while True:
            self._is_wanted.wait()
            if self._is_over.wait(_LOOK_S):
                return
            try:
                with self._lock:
                    self._look()
            except Exception as error:  # noqa: BLE001 (it is looked at again)
                logger.warning("a pair that is to leave could not be looked at: {}", error)

    def _look(self) -> None:
        """Finish what waited for the portfolio; remove leaving pairs that are flat."""
        settled = self._changes.settle()
        if settled is not None:
            logger.info("pairs: {}", settled.title)
        if self._changes.is_pending:
            return
        self._leaving.look()
        if not self._leaving.is_wanted and not self._changes.is_pending:
            self._is_wanted.clear()


def _tried(change: Callable[..., Reply], *words: object) -> Reply:
    try:
        return change(*words)
    except ConfigError as error:
        return refused(str(error))
