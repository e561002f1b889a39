"""The account that a run trades."""

import os
from contextlib import ExitStack, closing

from infra.operator.preflight.capital import small_capital
from infra.operator.terminal.confirm import confirm_live, read_summary
from infra.operator.terminal.screen import Screen
from infra.settings import Settings
from infra.venues.bybit.account_lock import AccountLock
from infra.venues.bybit.api_key import read_key
from infra.venues.bybit.connection import account_reader
from infra.venues.bybit.starting import Ask
from infra.venues.bybit.venues import Venue
from infra.venues.modes import Mode


def may_trade(
    mode: Mode, venue: Venue, settings: Settings, ask: Ask, held: ExitStack, screen: Screen
) -> bool:
    """Lock the account for this process, and tell whether it may be traded."""
    with closing(account_reader(venue)) as rest:
        ask(rest.sync_clock)
        key = ask(lambda: read_key(rest))
        held.callback(AccountLock(venue, key.info, os.environ).release)
        if mode is not Mode.LIVE:
            return True
        rules, found = settings.trading_rules(), ask(lambda: read_summary(rest))
        warning = small_capital(rest, rules, found.wallet.balance)
        return confirm_live(found, rules, venue.rest_url, screen, [warning] if warning else [])
