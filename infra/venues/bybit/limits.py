"""Bybit's rate limits: kinds of requests, and how many of each it takes.

The windows are sized so that all of them together stay below the limit per IP address, which needs
no window of its own then.
"""

from collections.abc import Mapping
from enum import StrEnum

from infra.net.rate_limiter import Limiter, Rate

IP_REQUESTS = 600
"""Of one IP address in `IP_WINDOW_S`; more are answered by HTTP 403."""
IP_WINDOW_S = 5.0
IP_PENALTY_S = 600.0
"""How long everything must stop after a 403 that does not say."""


class Kind(StrEnum):
    """What a request is for, as far as limits go."""

    CLOSE = "CLOSE"
    """Reduce-only orders."""
    ENTRY = "ENTRY"
    CANCEL = "CANCEL"
    STOPS = "STOPS"
    SETTING = "SETTING"
    """Leverage and modes, and the fee rate, a read that is limited as they are."""
    READ = "READ"
    """Of the account."""
    PUBLIC = "PUBLIC"
    """Of the market."""


_SECOND_S = 1.1
"""The venue's rolling second, with room for requests that the network pushes together."""

BYBIT_RATES: Mapping[Kind, Rate] = {
    # The venue has one limit of 10 for creating orders; closes get the larger part of it.
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
