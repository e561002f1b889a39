"""All checks before a start, in order."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path

from domain.errors import (
    AccessDeniedError,
    BadDataError,
    ConfigError,
    JournalError,
    UnavailableError,
)
from domain.operator.pairs import PairAction, PairChange, added, newest_changes
from infra.operator.preflight.account import (
    check_account,
    check_balance,
    check_keys_of_assets,
    check_private_stream,
)
from infra.operator.preflight.finding import Finding, fail, ok, warn
from infra.operator.preflight.machine import check_machine
from infra.operator.preflight.market import check_assets, check_network, check_public_stream
from infra.operator.preflight.notices import send_tests
from infra.settings import Settings, SettingsSource, default_dotenv
from infra.settings.doubts import doubts
from infra.settings.unread import other_account, unread
from infra.store.location import journal_location
from infra.store.pairs import stored_changes
from infra.venues.bybit.connection import account_reader
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.venues import Venue
from infra.venues.modes import LIVE_TRADING, YES, Mode, venue_of
from infra.venues.paper.account import paper_balance


def check(
    mode: Mode, settings_file: Path | None, directory: Path, *, sends_test: bool
) -> Iterator[Finding]:
    """Yield all findings; checks that depend on a failed one are left out."""
    dotenv = default_dotenv()
    try:
        source = SettingsSource(settings_file, environ=os.environ, dotenv=dotenv)
        settings = of_file = source.settings()
        changes = _stored_changes(of_file, directory, mode)
        settings = source.settings(pairs=changes or ())
    except ConfigError as error:
        yield from _each("settings", error, "correct it")
        return
    assets = ", ".join(asset.asset for asset in settings.trading_rules().assets)
    yield ok("settings", f"{assets}; {settings_file or 'settings.yaml only'}")
    for line in doubts(source.merged(changes or ())):
        yield warn("settings", line, "", "change one of them, or leave it so")
    yield from _of_pairs(of_file, changes)
    yield from check_machine(settings, mode, directory, dotenv)
    yield from _variables(settings, mode, dotenv)
    if sends_test:
        yield from send_tests(settings.notifications, mode)
    if not mode.has_market:
        yield ok("exchange", "none is needed")
        return
    yield from _live_word(mode)
    try:
        venue = venue_of(mode, settings, os.environ | {LIVE_TRADING: YES})
    except ConfigError as error:
        yield from _each("mode", error, "see .env.example")
        return
    with closing(account_reader(venue)) as rest:
        look = partial(_at_the_venue, mode, venue, rest, settings, directory, added(changes or ()))
        yield from _guarded("exchange", look)


def _stored_changes(of_file: Settings, directory: Path, mode: Mode) -> list[PairChange] | None:
    """Return the changes of pairs that the run has stored; None if they cannot be read."""
    try:
        return stored_changes(journal_location(directory, of_file.database, mode))
    except (ConfigError, JournalError):
        return None


def _of_pairs(of_file: Settings, changes: list[PairChange] | None) -> Iterator[Finding]:
    """Yield how commands have changed the traded pairs; they override the file."""
    if changes is None:
        text = "the journal cannot be read, so changes by commands are not known"
        yield fail("pairs", text, "", "see the findings about the journal")
        return
    named = {entry.symbol for entry in of_file.portfolio.enabled_assets}
    for symbol, change in newest_changes(changes).items():
        word = f"`bin/ctl pairs {'add' if symbol in named else 'remove'} {symbol}` undoes it"
        if change.action is PairAction.LEAVE:
            text = f"{symbol} was removed by a command"
            is_told = symbol in named
        else:
            is_leaving = change.action is PairAction.REMOVE
            text = f"{symbol} is to leave" if is_leaving else f"{symbol} was added by a command"
            is_told = is_leaving or symbol not in named
        if is_told:
            which = "names it" if symbol in named else "does not name it"
            yield warn("pairs", f"{text}; the file {which}", "", word)


def _variables(settings: Settings, mode: Mode, dotenv: Path | None) -> Iterator[Finding]:
    lines = (
        *other_account(settings.exchange, mode, has_account=mode.has_account),
        *unread(os.environ, dotenv),
    )
    for line in lines:
        yield warn("variables", line, "variables that take effect", "correct it, or take it out")


def _at_the_venue(
    mode: Mode,
    venue: Venue,
    rest: BybitRest,
    settings: Settings,
    directory: Path,
    by_command: Collection[str],
) -> Iterator[Finding]:
    rules = settings.trading_rules()
    yield from check_network(rest, venue)
    yield check_public_stream(venue, rules)
    balance: list[Decimal] = []
    if mode.has_account:
        yield from _guarded("account", partial(_of_the_account, rest, venue, settings, balance))
    else:
        balance.append(paper_balance(rules, directory / "paper.state"))
        yield ok("balance", f"{balance[0]:,.2f} USDT on paper")
    yield from check_assets(rest, rules, balance[0] if balance else None, by_command)


def _of_the_account(
    rest: BybitRest, venue: Venue, settings: Settings, balance: list[Decimal]
) -> Iterator[Finding]:
    yield from check_account(rest, settings.trading_rules())
    finding, found = check_balance(rest)
    balance.append(found)
    yield finding
    yield from check_keys_of_assets(venue, rest)
    yield check_private_stream(venue, rest)


def _each(name: str, error: ConfigError, advice: str) -> Iterator[Finding]:
    """Yield a finding for each line below the heading."""
    lines = str(error).splitlines()
    for line in lines[1:] or lines:
        yield fail(name, line.removeprefix("- "), "", advice)


def _guarded(name: str, checks: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from checks()
    except AccessDeniedError as error:
        yield fail(name, str(error), "a key that is accepted", "check the key and its --mode")
    except (UnavailableError, BadDataError, ConfigError) as error:
        yield fail(name, str(error), "an answer", "check the network and the addresses")


def _live_word(mode: Mode) -> Iterator[Finding]:
    if mode is not Mode.LIVE:
        return
    if os.environ.get(LIVE_TRADING) == YES:
        yield ok(LIVE_TRADING, YES, YES)
    else:
        advice = "set it where the run is started, once everything else is right"
        yield warn(LIVE_TRADING, os.environ.get(LIVE_TRADING) or "not set", YES, advice)
