"""Pairs that commands have added, and that the venue offers no more at a later start."""

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
"""After which the venue must say again that it offers a pair no more."""


def delisted(
    venue: Venue,
    changes: Sequence[PairChange],
    ask: Ask,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, str]:
    """Return which pairs were added by a command and are traded at the venue no more, and why.

    What the settings' file names is its owner's to change; such a pair is not looked at.

    Args:
        venue: is asked; no key is needed.
        changes: that were stored, oldest first.
        ask: puts each question to the venue.
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
    """Return why a pair cannot be traded for certain; empty where it can, or nobody knows."""
    try:
        find_listing(rest, symbol, Decimal(1))
    except NotListedError as error:
        return str(error)
    except NotTradableError:
        return ""  # the answer could not be read; whoever prepares the account asks again
    return ""


def told(why: str) -> str:
    """Return what the operator hears of it.

    Args:
        why: as `delisted` has it.
    """
    return f"{why}; it was added by a command, opens nothing more, and is removed once it is flat"
