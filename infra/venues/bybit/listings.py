"""The venue's listing of a perpetual, and whether it can be traded as configured."""

from decimal import Decimal

from domain.errors import BadDataError, ConfigError, UnavailableError
from infra.venues.bybit.errors import ReadRefusedError, UnlistedError
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.market import Listing
from infra.venues.bybit.shapes.queries import plain


class NotTradableError(UnavailableError):
    """The venue does not offer the perpetual, or not at present."""


class NotListedError(NotTradableError):
    """The venue's answer, which could be read, is that it does not offer the perpetual."""


def find_listing(rest: BybitRest, symbol: str, leverage: Decimal) -> Listing:
    """Return the venue's listing of a perpetual.

    Args:
        rest: the venue; no key is needed.
        symbol: of the perpetual.
        leverage: to be used.

    Raises:
        ConfigError: it cannot be traded with this leverage.
        NotListedError: it is not listed, or not trading.
        NotTradableError: its listing cannot be read.
        UnavailableError: the venue does not answer.
    """
    try:
        listing = rest.instruments([symbol])[symbol]
    except (UnlistedError, ReadRefusedError) as error:
        raise NotListedError(f"{symbol}: {error}") from error
    except BadDataError as error:
        raise NotTradableError(f"{symbol}: {error}") from error
    if not listing.is_trading:
        raise NotListedError(f"{symbol}: its status is {listing.status}, expected Trading")
    if listing.max_leverage is not None and leverage > listing.max_leverage:
        wanted, most = plain(leverage), plain(listing.max_leverage)
        raise ConfigError(f"{symbol}: the leverage of {wanted} is above the venue's {most}")
    return listing
