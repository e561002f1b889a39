"""Reads the stops requested by a client: of the whole position or parts, market or limit orders."""

from decimal import Decimal

from infra.venues.simulator import refusals
from infra.venues.simulator.rest.params import Params

FULL, PARTIAL = "Full", "Partial"


def read_tpsl_mode(params: Params) -> str:
    """Return Full or Partial.

    Raises:
        RefusedError: it is neither, or a stop of the whole position is a limit order.
    """
    mode = params.one_of("tpslMode", FULL, PARTIAL, default=FULL)
    if mode == FULL:
        params.refuse("tpLimitPrice", "slLimitPrice", "tpOrderType", "slOrderType")
    return mode


def limit_of_stop(params: Params, kind: str) -> Decimal | None:
    """Return the limit of a partial stop, `sl` or `tp`; None: it is a market order.

    Raises:
        RefusedError: a limit order has no price.
    """
    is_limit = params.one_of(f"{kind}OrderType", "Market", "Limit", default="Market") == "Limit"
    price = params.number(f"{kind}LimitPrice") or None
    if is_limit != (price is not None):
        raise refusals.invalid(f"{kind}LimitPrice")
    return price
