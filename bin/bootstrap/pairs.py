"""The command `pairs`: pairs join and leave while the others are traded on."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Self

from loguru import logger

from actors.core.envelope import Origin
from actors.core.system import ActorCrashedError, DeadLetterError
from actors.messages import OperatorAsked
from actors.names import PORTFOLIO
from bin.bootstrap.run import Run
from domain.errors import (
    AccessDeniedError,
    BadDataError,
    ConfigError,
    JournalError,
    UnavailableError,
)
from domain.market.instruments import Instrument
from domain.operator.commands import LIST, Command, CommandName, OperatorCommand, pair_changes
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
from domain.rules import AssetRules, TradingRules
from infra.operator.reload import Reload
from infra.run.journals import record_assets
from infra.settings import Settings, SettingsSource
from infra.settings.pairs import instrument_text, settings_text
from infra.settings.sections.assets import AssetSettings
from infra.store.location import Location, NoJournalError
from infra.store.reader import FactReader
from infra.store.settings_record import SettingsRecord
from infra.venues.connection import Connection

_ANSWER_S = 10.0
"""How long the portfolio may take to store a change."""
_LEAD_S = 3.0
"""Real time between a change and the close from which it holds, at least."""
_LOOK_S = 1.0
"""Pause between two looks at whether one that is to leave is flat."""
_PATIENCE_S = 5.0


class Pairs:
    """One change at a time; those that are to leave are watched by a thread of its own."""

    def __init__(
        self,
        run: Run,
        connection: Connection,
        reload: Reload,
        changes: Sequence[PairChange],
        source: SettingsSource,
        *,
        speed: float,
    ) -> None:
        """Watch nothing yet.

        Args:
            run: whose actors were or will be started.
            connection: of the run.
            reload: knows the settings as they are.
            changes: that were stored, oldest first.
            source: of the settings, as they were read at the start.
            speed: of the exchange's clock.
        """
        self._run, self._connection = run, connection
        self._reload, self._source = reload, source
        self._changes = list(changes)
        self._speed = speed
        self._lock = threading.Lock()
        """Held while something changes."""
        self._is_over = threading.Event()
        self._is_wanted = threading.Event()
        """One is to leave."""
        self._thread = threading.Thread(target=self._watch, name="pairs", daemon=True)

    def __enter__(self) -> Self:
        """Begin to watch those that are to leave; once."""
        if self._leaving():
            self._is_wanted.set()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no more."""
        self._is_over.set()
        self._is_wanted.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_S)

    def __call__(self, operator: str, argument: str, origin: Origin | None) -> Reply:
        """Do or answer the command.

        Args:
            operator: who asks.
            argument: as `Parameter.PAIR` has it.
            origin: the message that is the cause of what is stored.

        Raises:
            ConfigError: the pair cannot be traded; nothing was changed.
            TimeoutError: the portfolio does not answer.
        """
        words = argument.split()
        if words[0] == LIST:
            return self._list()
        with self._lock:
            if words[0] == PairAction.ADD:
                like = symbol_of(words[3]) if len(words) > 2 else None  # noqa: PLR2004
                return self._add(symbol_of(words[1]), like, operator, origin)
            return self._remove(symbol_of(words[1]), operator, origin)

    # What there is.

    def _list(self) -> Reply:
        newest, rules = newest_changes(self._changes), self._run.rules
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
        left = [c.asset for c in newest.values() if c.action is PairAction.LEAVE]
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
        joins_ms = rules.joins_ms.get(asset, 0)
        if asset in self._leaving():
            return "leaves once it is flat"
        is_coming = joins_ms > self._run.clock.now_ms()
        return f"joins at {utc(joins_ms)}" if is_coming else "traded"

    def _leaving(self) -> set[str]:
        newest = newest_changes(self._changes).values()
        return {change.asset for change in newest if change.action is PairAction.REMOVE}

    # One more.

    def _add(self, symbol: str, like: str | None, operator: str, origin: Origin | None) -> Reply:
        asset = asset_of_symbol(symbol)
        if asset in self._leaving():
            return self._keep(symbol, operator, origin)
        if any(rules.asset == asset for rules in self._run.rules.assets):
            return _refused(f"{asset} is traded already")
        with self._joining(asset, symbol):
            change, settings, rules = self._prepared(self._entry(symbol, like))
            candles = self._fetch(asset)
            self._connection.account.join(rules, asset)
            stored = self._ask(change, operator, origin)
            if not stored.is_done:
                self._connection.account.leave(asset)
                raise ConfigError(stored.result)
        self._changes.append(change)
        lines = (
            f"{candles:,} candles of history; {_terms(rules.asset(asset))}",
            *_allocation_line(self._settings, settings),
        )
        self._note(settings, rules, operator, origin)
        is_ready = self._run.join(rules, asset)
        lines = (
            *lines,
            *([] if is_ready else ["Some actors are not ready yet; they are being tried on"]),
        )
        return Reply(
            code=ReplyCode.DONE,
            title=f"{asset} joins at the close of {utc(change.from_ms)}",
            lines=lines,
            data={"asset": asset, "from_ms": change.from_ms, "candles": candles},
        )

    def _keep(self, symbol: str, operator: str, origin: Origin | None) -> Reply:
        """Let one that is to leave stay, as it is."""
        newest = newest_changes(self._changes)[symbol]
        change = replace(
            newest,
            action=PairAction.ADD,
            from_ms=joined_ms(self._changes).get(newest.asset, 0),
            settings=newest.settings or settings_text(self._listed(symbol)),
        )
        stored = self._ask(change, operator, origin)
        if not stored.is_done:
            return _refused(stored.result)
        self._changes.append(change)
        return Reply(code=ReplyCode.DONE, title=f"{change.asset} stays, and may open again")

    @contextmanager
    def _joining(self, asset: str, symbol: str) -> Iterator[None]:
        """Let the market know an asset; where anything fails, nothing is known of it again."""
        symbols = self._connection.market.symbols
        try:
            self._demand_nothing_open(symbol)
            symbols[asset] = symbol
            yield
        except (UnavailableError, AccessDeniedError, BadDataError) as error:
            symbols.pop(asset, None)
            raise ConfigError(f"{symbol} is not added: {error}") from error
        except BaseException:
            symbols.pop(asset, None)
            raise

    def _demand_nothing_open(self, symbol: str) -> None:
        open_there = self._connection.account.open_there(symbol)
        if open_there:
            raise ConfigError(f"{symbol} has {open_there} at the exchange; close it first")

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
        traded = self._settings.portfolio.enabled_assets
        for entry in traded:
            if entry.symbol == symbol:
                return entry
        raise ConfigError(f"{symbol} is not traded; expected {', '.join(e.symbol for e in traded)}")

    def _prepared(self, entry: AssetSettings) -> tuple[PairChange, Settings, TradingRules]:
        """Return the change that lets a pair join, and settings and rules with it.

        Raises:
            ConfigError: the settings contradict each other with it.
        """
        instrument = self._connection.account.listing(entry.symbol).instrument
        change = PairChange(
            action=PairAction.ADD,
            symbol=entry.symbol,
            from_ms=self._next_close_ms(),
            settings=settings_text(entry),
            instrument=instrument_text(instrument),
        )
        changes = [*self._changes, change]
        settings = self._with(changes)
        return change, settings, self._rules_of(settings, changes, {change.asset: instrument})

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
        self,
        settings: Settings,
        changes: Sequence[PairChange],
        listed: Mapping[str, Instrument],
    ) -> TradingRules:
        """Return the rules of the run with the pairs of other settings."""
        said, present = settings.trading_rules(), self._run.rules
        known = {rules.asset: rules for rules in present.assets}
        assets = (
            known.get(rules.asset) or replace(rules, instrument=listed[rules.asset])
            for rules in said.assets
        )
        return replace(
            present,
            assets=tuple(assets),
            approval=said.approval,
            order=said.order,
            joins_ms=joined_ms(changes),
        )

    def _next_close_ms(self) -> int:
        candle_ms = self._run.rules.candles.candle_ms
        soon_ms = self._run.clock.now_ms() + int(_LEAD_S * 1000 * self._speed)
        return (soon_ms // candle_ms + 1) * candle_ms

    def _fetch(self, asset: str) -> int:
        """Fetch and store the history, and return how many candles it has."""
        with self._run.ports.journals.connected():
            return len(self._connection.market.feed.history(asset))

    # One less.

    def _remove(self, symbol: str, operator: str, origin: Origin | None) -> Reply:
        change = PairChange(
            action=PairAction.REMOVE, symbol=symbol, from_ms=self._run.clock.now_ms()
        )
        stored = self._ask(change, operator, origin)
        if not stored.is_done:
            return _refused(stored.result)
        self._changes.append(change)
        self._is_wanted.set()
        return Reply(code=ReplyCode.DONE, title=stored.result, data={"asset": change.asset})

    def _watch(self) -> None:
        while True:
            self._is_wanted.wait()
            if self._is_over.wait(_LOOK_S):
                return
            try:
                with self._lock:
                    for asset in self._leaving():
                        self._look(asset)
                    if not self._leaving():
                        self._is_wanted.clear()
            except Exception as error:  # noqa: BLE001 (it is looked at again)
                logger.warning("a pair that is to leave could not be looked at: {}", error)

    def _look(self, asset: str) -> None:
        """Let an asset leave where it is flat, and nothing of it is under way or unknown."""
        seen = self._run.portfolio_snapshot()
        if seen is None or asset in seen.positions:
            return
        journals = self._run.ports.journals
        with journals.connected():
            orders = journals.open("pairs", lambda: None).orders(asset)
        symbol = symbol_of(asset)
        if any(order.is_under_way for order in orders):
            return
        if self._connection.account.open_there(symbol):
            return
        leaves = PairChange(action=PairAction.LEAVE, symbol=symbol, from_ms=self._next_close_ms())
        origin = self._run.note("pairs", f"{asset} is flat", "pairs")
        stored = self._ask(leaves, "supervision", origin)
        if not stored.is_done:
            return
        self._changes.append(leaves)
        settings = self._with(self._changes)
        rules = self._rules_of(settings, self._changes, {})
        self._note(settings, rules, "pairs", origin)
        self._run.leave(rules, asset)
        self._connection.account.leave(asset)
        self._connection.market.symbols.pop(asset, None)

    # Both.

    def _ask(self, change: PairChange, operator: str, origin: Origin | None) -> OperatorCommand:
        """Let the portfolio judge and store a change."""
        command = Command(name=CommandName.PAIRS, argument=change.written())
        address = self._run.system.address(PORTFOLIO)
        try:
            found: OperatorCommand = address.ask(
                OperatorAsked(command=command, operator=operator),
                sender="operator",
                timeout_s=_ANSWER_S,
                origin=origin,
            )
        except (ActorCrashedError, DeadLetterError) as error:
            raise ConfigError(f"the portfolio failed: {error}") from error
        return found

    def _note(
        self, settings: Settings, rules: TradingRules, operator: str, origin: Origin | None
    ) -> None:
        """Let the journal know the settings and instruments that hold from now on."""
        self._reload.settings, journals = settings, self._run.ports.journals
        now_ms = self._run.clock.now_ms()
        SettingsRecord(journals).note(settings, operator, now_ms, lambda: origin)
        with journals.connected():
            record_assets(journals, rules)


def stored_changes(journal: Location) -> list[PairChange]:
    """Return the changes of pairs that a run has stored, oldest first; none without a journal.

    Raises:
        ConfigError: the journal cannot be read.
    """
    try:
        with closing(FactReader(journal)) as facts:
            return pair_changes(facts.commands())
    except NoJournalError:
        return []
    except JournalError as error:
        raise ConfigError(str(error)) from error


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
