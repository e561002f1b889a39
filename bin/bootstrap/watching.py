"""What the health and the shared snapshot of a run are read from."""

import time
from collections.abc import Mapping

from actors.operator.inspector import Surroundings
from bin.bootstrap.run import Run
from domain.market.instruments import exact
from domain.operator.system import FeedState
from infra.operator.health.view import health_figures
from infra.operator.health.watch import Health, Sources
from infra.venues.bybit.connection import MarketConnection

FRESH_S = 0.3
"""How old a snapshot may be that is shown to people."""


def sources_of(run: Run) -> Sources:
    """Return where the figures of a run come from."""
    return Sources(
        mode=run.info.mode,
        inspect=run.inspector.snapshot,
        channels=run.channels,
        recorder=run.recorder,
        tell=run.tell_operator,
    )


def surroundings_of(run: Run, market: MarketConnection, health: Health) -> Surroundings:
    """Return what is known of a run outside of its actors."""
    figures = health.figures
    return Surroundings(
        feeds=_feeds(run, market),
        unknown_orders=0 if figures is None else figures.books.unknown_orders,
        troubles=run.channels.troubles(),
        health=health_figures(figures),
    )


def _feeds(run: Run, market: MarketConnection) -> Mapping[str, FeedState]:
    now_s, stale_s = time.monotonic(), run.rules.protection.stale_data_ms / 1000
    found = {}
    for asset, symbol in list(market.symbols.items()):
        heard_s = market.stream.heard_s(symbol)
        age_s = None if heard_s is None else now_s - heard_s
        close = market.stream.newest_close(symbol)
        found[asset] = FeedState(
            asset=asset,
            age_s=age_s,
            is_stale=age_s is not None and age_s >= stale_s,
            price=None if close is None else exact(close),
        )
    return found
