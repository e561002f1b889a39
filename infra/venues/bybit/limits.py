"""Bybit's rate limits: kinds of requests, and how many of each it accepts.

The windows are sized so that together they stay below the limit per IP address, which therefore
needs no window of its own.
"""

from collections.abc import Mapping
from enum import StrEnum

from infra.net.rate_limiter import Limiter, Rate

IP_REQUESTS = 600
"""Requests of one IP address per `IP_WINDOW_S`; more are answered with HTTP 403."""
IP_WINDOW_S = 5.0
IP_PENALTY_S = 600.0
"""How long all requests must stop after a 403 that does not say."""


class Kind(StrEnum):
    """The kinds of requests that limits distinguish."""

    CLOSE = "CLOSE"
    """Reduce-only orders."""
    ENTRY = "ENTRY"
    CANCEL = "CANCEL"
    STOPS = "STOPS"
    SETTING = "SETTING"
    """Leverage and modes, and the fee rate: a read with the same limit."""
    READ = "READ"
    """Reads of the account."""
    PUBLIC = "PUBLIC"
    """Reads of the market."""


_SECOND_S = 1.1
"""The venue's rolling second, with a margin for requests bunched up by the network."""

BYBIT_RATES: Mapping[Kind, Rate] = {
    # The venue has one limit of 10 for creating orders; closes get the larger share.
    Kind.CLOSE: Rate(requests=7, per_s=_SECOND_S),
    Kind.ENTRY: Rate(requests=3, per_s=_SECOND_S),
    Kind.CANCEL: Rate(requests=10, per_s=_SECOND_S),
    Kind.STOPS: Rate(requests=10, per_s=_SECOND_S),
    Kind.SETTING: Rate(requests=5, per_s=_SECOND_S),
    Kind.READ: Rate(requests=50, per_s=_SECOND_S),
    Kind.PUBLIC: Rate(requests=30, per_s=_SECOND_S),
}

BybitLimiter = Limiter[Kind]


def bybit_limiter() -> BybitLimiter:
    """Return the limits of one account and one IP address, to be shared by all clients."""
    return Limiter(BYBIT_RATES)
