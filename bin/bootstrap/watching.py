"""Sources of a run's health and of its shared snapshot."""

from actors.operator.inspector import Surroundings
from bin.bootstrap.run import Run
from domain.portfolio.performance import Performances
from infra.operator.health.feeds import feed_states
from infra.operator.health.view import health_figures
from infra.operator.health.watch import Health, Sources
from infra.venues.bybit.connection import MarketConnection

FRESH_S = 0.3
"""How old a snapshot may be when it is shown."""


def sources_of(run: Run) -> Sources:
    """Return where the figures of a run come from."""
    return Sources(
        mode=run.info.mode,
        inspect=run.inspector.snapshot,
        channels=run.channels,
        recorder=run.recorder,
        tell=run.tell_operator,
        tell_links=run.tell_links,
        connections=lambda: run.ports.journals.connections,
        rules=lambda: run.rules,
    )


def surroundings_of(run: Run, market: MarketConnection, health: Health) -> Surroundings:
    """Return what is known about a run outside its actors."""
    figures = health.figures
    return Surroundings(
        feeds=feed_states(market, run.rules.protection.stale_data_ms),
        links={} if figures is None else figures.links,
        performance=Performances() if figures is None else figures.performance,
        unknown_orders=0 if figures is None else figures.books.unknown_orders,
        troubles=run.channels.troubles(),
        health=health_figures(figures),
    )
