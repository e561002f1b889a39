"""Adds a pair, at a close."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from domain.errors import AccessDeniedError, BadDataError, ConfigError, UnavailableError
from domain.operator.commands import OperatorCommand
from domain.operator.pairs import PairAction, PairChange, asset_of_symbol, joined_ms
from domain.operator.replies import Reply, ReplyCode
from domain.operator.wording import utc
from domain.rules import AssetRules, TradingRules
from infra.run.pairs.closes import Closes
from infra.run.pairs.members import Members, Origin
from infra.run.pairs.storing import PairChanges, done, refused
from infra.run.pairs.terms import PairTerms
from infra.settings import Settings
from infra.settings.pairs import instrument_text, settings_text
from infra.settings.sections.assets import AssetSettings
from infra.store.journal import JournalStore
from infra.venues.connection import Connection


class Joining:
    """Lets a pair join; a failure on the way changes nothing."""

    def __init__(
        self,
        members: Members,
        connection: Connection,
        journals: JournalStore,
        terms: PairTerms,
        changes: PairChanges,
        closes: Closes,
    ) -> None:
        self._members, self._connection, self._journals = members, connection, journals
        self._terms, self._changes, self._closes = terms, changes, closes

    def add(
        self, entry: Callable[[], AssetSettings], symbol: str, operator: str, origin: Origin
    ) -> Reply:
        """Let a pair join, or stay if it was leaving.

        Args:
            entry: returns its entry in the settings.
            symbol: of the pair.
            operator: the requester.
            origin: the message that causes it.

        Raises:
            ConfigError: it cannot be traded; nothing was changed.
        """
        asset = asset_of_symbol(symbol)
        if asset in self._changes.leaving():
            return self._keep(symbol, operator, origin)
        if any(rules.asset == asset for rules in self._members.rules.assets):
            return refused(f"{asset} is traded already")
        self._changes.demand_settled()
        try:
            self._demand_nothing_open(symbol)
            self._connection.market.symbols[asset] = symbol
            change, settings, rules = self._prepared(entry())
            candles = self._fetch(asset)
            self._connection.account.join(rules, asset)
            # Last, as all this may have taken longer than a candle.
            change = replace(change, from_ms=self._closes.next_ms())
            rules = replace(rules, joins_ms=joined_ms([*self._changes.stored, change]))
        except (UnavailableError, AccessDeniedError, BadDataError) as error:
            self.forget(asset)
            raise ConfigError(f"{symbol} is not added: {error}") from error
        except BaseException:
            self.forget(asset)
            raise

        def finish(_: OperatorCommand) -> Reply:
            lines = (
                f"{candles:,} candles of history; {_terms(rules.asset(asset))}",
                *_allocation_line(self._terms.settings, settings),
            )
            self._terms.hold(settings, rules, operator, origin)
            if not self._members.join(rules, asset):
                lines = (*lines, "Some actors are not ready yet; starting them is retried")
            return Reply(
                code=ReplyCode.DONE,
                title=f"{asset} joins at the close of {utc(change.from_ms)}",
                lines=lines,
                data={"asset": asset, "from_ms": change.from_ms, "candles": candles},
            )

        return self._changes.store(change, operator, origin, finish, lambda: self.forget(asset))

    def forget(self, asset: str) -> None:
        """Disconnect an asset."""
        self._connection.account.leave(asset)
        self._connection.market.symbols.pop(asset, None)

    def _keep(self, symbol: str, operator: str, origin: Origin) -> Reply:
        """Let a leaving pair stay, unchanged."""
        newest = self._changes.newest[symbol]
        from_ms = joined_ms(self._changes.stored).get(newest.asset, 0)
        change = replace(newest, action=PairAction.ADD, from_ms=from_ms)
        title = f"{change.asset} stays, and may open again"
        return self._changes.store(change, operator, origin, lambda _: done(title, change.asset))

    def _demand_nothing_open(self, symbol: str) -> None:
        open_there = self._connection.account.open_there(symbol)
        if open_there:
            raise ConfigError(f"{symbol} has {open_there} at the exchange; close it first")

    def _prepared(self, entry: AssetSettings) -> tuple[PairChange, Settings, TradingRules]:
        """Return the change that lets a pair join, and the settings and rules with it."""
        instrument = self._connection.account.listing(entry.symbol).instrument
        change = PairChange(
            action=PairAction.ADD,
            symbol=entry.symbol,
            settings=settings_text(entry),
            instrument=instrument_text(instrument),
        )
        settings, rules = self._terms.after([*self._changes.stored, change], instrument)
        return change, settings, rules

    def _fetch(self, asset: str) -> int:
        """Fetch and store the history, and return its number of candles."""
        with self._journals.connected():
            return len(self._connection.market.feed.history(asset))


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
