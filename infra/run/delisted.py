"""Finds pairs added by commands that the venue no longer lists at a later start."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from functools import partial

from domain.operator.pairs import PairChange, added
from infra.venues.bybit.connection import account_reader
from infra.venues.bybit.listings import NotListedError, NotTradableError, find_listing
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.starting import Ask
from infra.venues.bybit.venues import Venue

_SECOND_LOOK_S = 3.0
"""Time after which the venue must confirm that it no longer lists a pair."""


def delisted(
    venue: Venue,
    changes: Sequence[PairChange],
    ask: Ask,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, str]:
    """Return which pairs were added by a command and are no longer traded at the venue, and why.

    Pairs named in the settings file are up to its owner, and not checked.

    Args:
        venue: to query; no key is needed.
        changes: stored ones, oldest first.
        ask: sends each query to the venue.
        sleep: waits some seconds.

    Raises:
        UnavailableError: the venue does not answer.
    """
    stored = added(changes)
    if not stored:
        return {}
    with closing(account_reader(venue)) as rest:

        def look(symbols: Sequence[str]) -> dict[str, str]:
            found = {symbol: ask(partial(_why_not, rest, symbol)) for symbol in symbols}
            return {symbol: why for symbol, why in found.items() if why}

        suspects = look(stored)
        if not suspects:
            return {}
        sleep(_SECOND_LOOK_S)
        return look(list(suspects))


def _why_not(rest: BybitRest, symbol: str) -> str:
    """Return why a pair definitely cannot be traded; empty if it can, or if that is unknown."""
    try:
        find_listing(rest, symbol, Decimal(1))
    except NotListedError as error:
        return str(error)
    except NotTradableError:
        return ""  # the answer could not be read; preparing the account asks again
    return ""


def told(why: str) -> str:
    """Return the notice to the operator.

    Args:
        why: as returned by `delisted`.
    """
    return f"{why}; it was added by a command, opens nothing more, and is removed once it is flat"
