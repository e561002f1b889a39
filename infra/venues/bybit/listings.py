"""How the venue lists a perpetual, and whether it can be traded as the settings want."""

from decimal import Decimal

from domain.errors import BadDataError, ConfigError, UnavailableError
from infra.venues.bybit.errors import ReadRefusedError
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.market import Listing
from infra.venues.bybit.shapes.queries import plain


class NotTradableError(UnavailableError):
    """The venue does not offer the perpetual, or not now."""


def find_listing(rest: BybitRest, symbol: str, leverage: Decimal) -> Listing:
    """Return how the venue lists a perpetual.

    Args:
        rest: the venue; no key is needed.
        symbol: of the perpetual.
        leverage: wanted.

    Raises:
        ConfigError: it cannot be traded with this leverage.
        NotTradableError: it is not listed, or not in trade.
        UnavailableError: the venue does not answer.
    """
    try:
        listing = rest.instruments([symbol])[symbol]
    except (BadDataError, ReadRefusedError) as error:
        raise NotTradableError(f"{symbol}: {error}") from error
    if not listing.is_trading:
        raise NotTradableError(f"{symbol}: its status is {listing.status}, expected Trading")
    if listing.max_leverage is not None and leverage > listing.max_leverage:
        wanted, most = plain(leverage), plain(listing.max_leverage)
        raise ConfigError(f"{symbol}: the leverage of {wanted} is above the venue's {most}")
    return listing
