"""Readiness: whether all assets of a system can be traded, and what else is broken."""

from collections.abc import Iterator

from infra.operator.health.figures import Figures


def why_not_ready(figures: Figures) -> list[str]:
    """Return every reason why not all assets can be traded; none if they can.

    A cooldown, a pause or a full exposure is not such a reason: that is trading by the rules.
    """
    return [*_actors(figures), *_connections(figures), *_portfolio(figures)]


def why_degraded(figures: Figures) -> list[str]:
    """Return what is broken without keeping any asset from being traded."""
    return [f"{channel} does not work: {why}" for channel, why in figures.troubles.items()]


def _actors(figures: Figures) -> Iterator[str]:
    for actor in figures.actors:
        if actor.is_given_up:
            yield f"{actor.address} was given up"
        elif not actor.is_running:
            yield f"{actor.address} is not running"


def _connections(figures: Figures) -> Iterator[str]:
    for stream in figures.streams:
        if stream.denied is not None:
            yield f"{stream.name}: the exchange refuses the key"
        elif not stream.live:
            yield f"{stream.name} is not connected"
    for asset in figures.assets:
        if asset.feed_age_s is None:
            yield f"{asset.asset}: no candles yet"
    if not figures.is_clock_known:
        yield "the exchange's time is not known"


def _portfolio(figures: Figures) -> Iterator[str]:
    if figures.portfolio is None:
        yield "the portfolio does not answer"
    else:
        if figures.portfolio.is_halted:
            yield "trading is halted until the operator's rearm"
        if figures.portfolio.panic_since_ms is not None:
            yield "panic: nothing is opened until the operator's rearm"
        yield from (f"malfunction: {what}" for what in figures.portfolio.malfunctions.values())
        yield from (f"{asset} is suspended" for asset in sorted(figures.portfolio.suspended))
    if figures.unprotected:
        yield f"positions without a stop: {figures.unprotected}"
