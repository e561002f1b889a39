"""The command `pairs`: pairs join and leave while the others are traded on."""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, Self

from loguru import logger

from domain.errors import (
    AccessDeniedError,
    BadDataError,
    ConfigError,
    UnavailableError,
)
from domain.market.instruments import Instrument
from domain.operator.commands import LIST, OperatorCommand
from domain.operator.pairs import (
    PairAction,
    PairChange,
    asset_of_symbol,
    joined_ms,
    newest_changes,
    symbol_of,
)
from domain.operator.replies import Reply, ReplyCode, ReplyTable
from domain.operator.wording import utc
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.rules import AssetRules, TradingRules
from infra.operator.reload import Reload
from infra.run.journals import record_assets
from infra.settings import Settings, SettingsSource
from infra.settings.pairs import instrument_text, settings_text
from infra.settings.sections.assets import AssetSettings
from infra.store.journal import JournalStore
from infra.store.settings_record import SettingsRecord
from infra.venues.connection import Connection

_ANSWER_S = 10.0
"""How long the portfolio is waited for; what it stores later is done later."""
_LEAD_S = 5.0
"""Real time between a change and the close from which it holds, at least."""
_LOOK_S = 1.0
"""Pause between two looks at whether one that is to leave is flat."""
_PATIENCE_S = 5.0
_START = "the start"
"""Who removes what the exchange offers no more."""
Origin = Any
"""The message that is the cause of what is stored, as the actors have it; None: there is none."""


class Members(Protocol):
    """The running actors."""

    @property
    def rules(self) -> TradingRules:
        """Those of the pairs that are traded now."""

    def ask_pair(
        self, change: PairChange, operator: str, origin: Origin
    ) -> Future[OperatorCommand]:
        """Let the portfolio judge and store a change, and return where its answer will be."""

    def join(self, rules: TradingRules, asset: str) -> bool:
        """Start the actors of one asset more, and tell whether all were ready in time."""

    def leave(self, rules: TradingRules, asset: str) -> bool:
        """End the actors of an asset that is flat."""

    def portfolio_snapshot(self) -> PortfolioSnapshot | None:
        """Return what the portfolio sees; None where it does not answer."""

    def note(self, what: str, detail: str, sender: str) -> Origin:
        """Note in the trace what is done without an actor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """A change that the portfolio was asked to store."""

    change: PairChange
    answer: Future[OperatorCommand]
    finish: Callable[[OperatorCommand], Reply]
    """Does what follows once it is stored."""
    undo: Callable[[], None]


class Pairs:
    """One change at a time; those that are to leave are watched by a thread of its own.

    What the portfolio has stored is done, now or at the next start; what it has not, never was.
    """

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
        """Watch nothing yet.

        Args:
            members: were or will be started.
            connection: of the run.
            journals: of the run.
            reload: knows the settings as they are.
            changes: that were stored, oldest first.
            source: of the settings, as they were read at the start.
            speed: of the exchange's clock.
            delisted: symbols that are traded at the exchange no more, and are to leave.
        """
        self.changes = list(changes)
        """All that are stored, oldest first."""
        self._members, self._connection, self._journals = members, connection, journals
        self._reload, self._source = reload, source
        self._of_file = _enabled(source.settings())
        self._speed, self._delisted = speed, set(delisted)
        self._pending: _Pending | None = None
        self._lock = threading.Lock()
        """Held while something changes."""
        self._is_over = threading.Event()
        self._is_wanted = threading.Event()
        """One is to leave, or waits for the portfolio."""
        self._thread = threading.Thread(target=self._watch, name="pairs", daemon=True)

    def __enter__(self) -> Self:
        """Begin to watch those that are to leave; once."""
        if self._leaving() or self._delisted:
            self._is_wanted.set()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no more."""
        self._is_over.set()
        self._is_wanted.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_S)

    def __call__(self, operator: str, argument: str, origin: Origin) -> Reply:
        """Do or answer the command.

        Args:
            operator: who asks.
            argument: as `Parameter.PAIR` has it.
            origin: the message that is the cause of what is stored.

        Raises:
            ConfigError: the pair cannot be traded; nothing was changed.
        """
        words = argument.split()
        if words[0] == LIST:
            return self._list()
        with self._lock:
            symbol = symbol_of(words[1])
            if words[0] == PairAction.REMOVE:
                return self._remove(symbol, operator, origin)
            like = symbol_of(words[3]) if len(words) > 2 else None  # noqa: PLR2004
            return self._add(lambda: self._entry(symbol, like), symbol, operator, origin)

    def follow(self, source: SettingsSource, operator: str, origin: Origin) -> dict[str, Reply]:
        """Let pairs join and leave as the settings' file has changed since it was read last.

        Args:
            source: the file as it is now.
            operator: who has asked for that.
            origin: the message that is its cause.

        Returns:
            What came of each, by the command that would have done the same.
        """
        now, before = _enabled(source.settings()), self._of_file
        with self._lock:
            traded = {rules.instrument.symbol for rules in self._members.rules.assets}
            added = [each for each in now if each not in before and each not in traded]
            removed = [each for each in before if each not in now and each in traded]
            replies = {
                f"pairs add {symbol}": self._tried(
                    partial(self._add, partial(now.__getitem__, symbol), symbol, operator, origin)
                )
                for symbol in added
            }
            replies |= {
                f"pairs remove {symbol}": self._tried(
                    partial(self._remove, symbol, operator, origin)
                )
                for symbol in removed
            }
            self._of_file = now
        return replies

    def _tried(self, change: Callable[[], Reply]) -> Reply:
        try:
            return change()
        except ConfigError as error:
            return _refused(str(error))

    # What there is.

    def _list(self) -> Reply:
        newest, rules = newest_changes(self.changes), self._members.rules
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
                "leaving": sorted(self._leaving()),
                "removed": left,
                "joins_ms": dict(rules.joins_ms),
            },
        )

    def _state_of(self, asset: str, rules: TradingRules) -> str:
        if asset in self._leaving():
            return "leaves once it is flat"
        joins_ms = rules.joins_ms.get(asset, 0)
        is_coming = joins_ms > self._now_ms()
        return f"joins at {utc(joins_ms)}" if is_coming else "traded"

    def _leaving(self) -> set[str]:
        newest = newest_changes(self.changes).values()
        return {change.asset for change in newest if change.action is PairAction.REMOVE}

    # One more.

    def _add(
        self, entry: Callable[[], AssetSettings], symbol: str, operator: str, origin: Origin
    ) -> Reply:
        asset = asset_of_symbol(symbol)
        if asset in self._leaving():
            return self._keep(symbol, operator, origin)
        if any(rules.asset == asset for rules in self._members.rules.assets):
            return _refused(f"{asset} is traded already")
        self._demand_settled()
        try:
            self._demand_nothing_open(symbol)
            self._connection.market.symbols[asset] = symbol
            change, settings, rules = self._prepared(entry())
            candles = self._fetch(asset)
            self._connection.account.join(rules, asset)
            # Last: all this may have taken longer than a candle.
            change = replace(change, from_ms=self._next_close_ms())
            rules = replace(rules, joins_ms=joined_ms([*self.changes, change]))
        except (UnavailableError, AccessDeniedError, BadDataError) as error:
            self._forget(asset)
            raise ConfigError(f"{symbol} is not added: {error}") from error
        except BaseException:
            self._forget(asset)
            raise

        def finish(_: OperatorCommand) -> Reply:
            lines = (
                f"{candles:,} candles of history; {_terms(rules.asset(asset))}",
                *_allocation_line(self._settings, settings),
            )
            self._note(settings, rules, operator, origin)
            is_ready = self._members.join(rules, asset)
            if not is_ready:
                lines = (*lines, "Some actors are not ready yet; they are being tried on")
            return Reply(
                code=ReplyCode.DONE,
                title=f"{asset} joins at the close of {utc(change.from_ms)}",
                lines=lines,
                data={"asset": asset, "from_ms": change.from_ms, "candles": candles},
            )

        return self._store(change, operator, origin, finish, lambda: self._forget(asset))

    def _keep(self, symbol: str, operator: str, origin: Origin) -> Reply:
        """Let one that is to leave stay, as it is."""
        newest = newest_changes(self.changes)[symbol]
        from_ms = joined_ms(self.changes).get(newest.asset, 0)
        change = replace(newest, action=PairAction.ADD, from_ms=from_ms)
        title = f"{change.asset} stays, and may open again"
        return self._store(change, operator, origin, lambda _: _done(title, change.asset))

    def _demand_settled(self) -> None:
        if self._pending is not None:
            raise ConfigError("the change before waits for the portfolio; look by `pairs list`")

    def _demand_nothing_open(self, symbol: str) -> None:
        open_there = self._connection.account.open_there(symbol)
        if open_there:
            raise ConfigError(f"{symbol} has {open_there} at the exchange; close it first")

    def _forget(self, asset: str) -> None:
        self._connection.account.leave(asset)
        self._connection.market.symbols.pop(asset, None)

    def _entry(self, symbol: str, like: str | None) -> AssetSettings:
        """Return what is to be said of a pair in the settings."""
        portfolio = self._settings.portfolio
        if like is not None:
            return self._listed(like).model_copy(update={"symbol": symbol, "enabled": True})
        known = [entry for entry in portfolio.assets if entry.symbol == symbol]
        if known:
            return known[0].model_copy(update={"enabled": True})
        strategies = {entry.strategy for entry in portfolio.enabled_assets}
        if len(strategies) > 1:
            names = ", ".join(sorted(strategies))
            raise ConfigError(f"the pairs have different strategies ({names}): name one by --like")
        return AssetSettings(symbol=symbol, strategy=strategies.pop())

    def _listed(self, symbol: str) -> AssetSettings:
        traded = _enabled(self._settings)
        if symbol not in traded:
            raise ConfigError(f"{symbol} is not traded; expected {', '.join(traded)}")
        return traded[symbol]

    def _prepared(self, entry: AssetSettings) -> tuple[PairChange, Settings, TradingRules]:
        """Return the change that lets a pair join at some close, and settings and rules with it.

        Raises:
            ConfigError: the settings contradict each other with it.
        """
        instrument = self._connection.account.listing(entry.symbol).instrument
        change = PairChange(
            action=PairAction.ADD,
            symbol=entry.symbol,
            settings=settings_text(entry),
            instrument=instrument_text(instrument),
        )
        changes = [*self.changes, change]
        settings = self._with(changes)
        return change, settings, self._rules_of(settings, changes, instrument)

    @property
    def _settings(self) -> Settings:
        """Those that hold now."""
        return self._reload.settings

    def _with(self, changes: Sequence[PairChange]) -> Settings:
        """Return the present settings with other pairs.

        Raises:
            ConfigError: they contradict each other.
        """
        found = self._source.settings(pairs=changes)
        return self._settings.model_copy(
            update={"portfolio": found.portfolio, "instruments": found.instruments}
        )

    def _rules_of(
        self, settings: Settings, changes: Sequence[PairChange], joining: Instrument | None = None
    ) -> TradingRules:
        """Return the rules of the run with the pairs of other settings."""
        said, present = settings.trading_rules(), self._members.rules
        known = {rules.asset: rules for rules in present.assets}
        assets = (
            known.get(rules.asset) or replace(rules, instrument=joining or rules.instrument)
            for rules in said.assets
        )
        return replace(
            present,
            assets=tuple(assets),
            approval=said.approval,
            order=said.order,
            joins_ms=joined_ms(changes),
        )

    def _now_ms(self) -> int:
        return self._connection.market.clock.now_ms()

    def _next_close_ms(self) -> int:
        candle_ms = self._members.rules.candles.candle_ms
        soon_ms = self._now_ms() + int(_LEAD_S * 1000 * self._speed)
        return (soon_ms // candle_ms + 1) * candle_ms

    def _fetch(self, asset: str) -> int:
        """Fetch and store the history, and return how many candles it has."""
        with self._journals.connected():
            return len(self._connection.market.feed.history(asset))

    # One less.

    def _remove(self, symbol: str, operator: str, origin: Origin) -> Reply:
        self._demand_settled()
        entry = _enabled(self._settings).get(symbol)
        change = PairChange(
            action=PairAction.REMOVE,
            symbol=symbol,
            from_ms=self._now_ms(),
            settings=None if entry is None else settings_text(entry),
        )
        return self._store(change, operator, origin, lambda stored: _done(stored.result, symbol))

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
        """Finish what waits for the portfolio; let those leave that are flat."""
        if self._pending is not None and not self._pending.answer.done():
            return
        if self._pending is not None:
            logger.info("pairs: {}", self._settle(self._pending).title)
        self._remove_delisted()
        if self._pending is not None:
            return
        for asset in self._leaving():
            self._look_at(asset)
        if not self._leaving() and not self._delisted and self._pending is None:
            self._is_wanted.clear()

    def _remove_delisted(self) -> None:
        """Ask once for each pair that the exchange offers no more, as soon as somebody judges."""
        self._delisted -= {symbol_of(asset) for asset in self._leaving()}
        if self._delisted and self._members.portfolio_snapshot() is not None:
            symbol = self._delisted.pop()
            origin = self._members.note("pairs", f"{symbol} is listed no more", _START)
            logger.info("pairs: {}", self._remove(symbol, _START, origin).title)

    def _look_at(self, asset: str) -> None:
        """Let an asset leave where it is flat, and nothing of it is under way or unknown."""
        symbol, seen = symbol_of(asset), self._members.portfolio_snapshot()
        if seen is None or asset in seen.positions:
            return
        with self._journals.connected():
            orders = self._journals.open("pairs", lambda: None).orders(asset)
        is_under_way = any(order.is_under_way for order in orders)
        if is_under_way or self._connection.account.open_there(symbol):
            return
        change = PairChange(action=PairAction.LEAVE, symbol=symbol, from_ms=self._next_close_ms())
        origin = self._members.note("pairs", f"{asset} is flat", "pairs")

        def finish(stored: OperatorCommand) -> Reply:
            settings = self._with(self.changes)
            rules = self._rules_of(settings, self.changes)
            self._note(settings, rules, "pairs", origin)
            self._members.leave(rules, asset)
            self._forget(asset)
            return _done(stored.result, asset)

        self._store(change, "pairs", origin, finish)

    # Both.

    def _store(
        self,
        change: PairChange,
        operator: str,
        origin: Origin,
        finish: Callable[[OperatorCommand], Reply],
        undo: Callable[[], None] = lambda: None,
    ) -> Reply:
        """Let the portfolio judge and store a change, and do what follows of it."""
        answer = self._members.ask_pair(change, operator, origin)
        return self._settle(
            _Pending(change=change, answer=answer, finish=finish, undo=undo), _ANSWER_S
        )

    def _settle(self, pending: _Pending, patience_s: float = 0.0) -> Reply:
        """Do what follows of the portfolio's answer; where there is none yet, it is done later."""
        self._pending = None
        try:
            stored = pending.answer.result(patience_s)
        except TimeoutError:
            self._pending = pending
            self._is_wanted.set()
            title = "the portfolio has not answered yet; it is done once it has"
            return Reply(code=ReplyCode.LATE, title=title)
        except Exception as error:  # noqa: BLE001 (it may have died after it had stored it)
            found = self._stored(pending.change)
            if found is None:
                pending.undo()
                return _refused(f"the portfolio failed: {error}")
            stored = found
        if not stored.is_done:
            pending.undo()
            return _refused(stored.result)
        self.changes.append(pending.change)
        self._is_wanted.set()
        return pending.finish(stored)

    def _stored(self, change: PairChange) -> OperatorCommand | None:
        """Return the command by which a change was stored; None where it was not."""
        with self._journals.connected():
            commands = self._journals.open("pairs", lambda: None).commands()
        written = change.written()
        return next((c for c in reversed(commands) if c.arguments == written), None)

    def _note(self, settings: Settings, rules: TradingRules, operator: str, origin: Origin) -> None:
        """Let the journal know the settings and instruments that hold from now on."""
        self._reload.settings = settings
        SettingsRecord(self._journals).note(settings, operator, self._now_ms(), lambda: origin)
        with self._journals.connected():
            record_assets(self._journals, rules)


def _enabled(settings: Settings) -> dict[str, AssetSettings]:
    return {entry.symbol: entry for entry in settings.portfolio.enabled_assets}


def _done(title: str, name: str) -> Reply:
    return Reply(code=ReplyCode.DONE, title=title, data={"asset": asset_of_symbol(name)})


def _refused(why: str) -> Reply:
    return Reply(code=ReplyCode.REFUSED, title=why)


def _terms(rules: AssetRules) -> str:
    share = f"{rules.allocation_fraction:f} of the balance as margin"
    return f"{rules.terms.strategy.name}, {share}, leverage {rules.leverage:f}"


def _allocation_line(before: Settings, after: Settings) -> Sequence[str]:
    was, now = (each.portfolio.total_allocation_pct for each in (before, after))
    if was == now:
        return ()
    limit = after.portfolio.max_total_exposure_pct
    return (
        f"total_allocation_pct follows: {was:f} -> {now:f}; max_total_exposure_pct stays {limit:f}",
    )
