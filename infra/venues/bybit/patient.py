"""Requests that no trade depends on: a late answer is better than none."""

import random
from dataclasses import replace
from urllib.parse import urlsplit

from domain.errors import ConfigError
from infra.net.server_clock import ServerClock
from infra.venues.bybit.http.client import PATIENCE
from infra.venues.bybit.limits import bybit_limiter
from infra.venues.bybit.rest import BybitRest

_PATIENCE = replace(PATIENCE, answer_s=10.0, read_budget_s=20.0)


def patient_rest(url: str) -> BybitRest:
    """Return a patient client for public data, without a key.

    Raises:
        ConfigError: the address is not an HTTP address.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ConfigError(f"--url {url}: expected an address like https://api.bybit.com")
    return BybitRest(
        None,
        url,
        limiter=bybit_limiter(),
        clock=ServerClock(),
        rng=random.Random(),  # noqa: S311 - spreads retries
        patience=_PATIENCE,
    )
