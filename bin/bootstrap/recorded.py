"""Runs over recorded candles: in this process, or at a simulated exchange in lock-step."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

from actors.core.system import Probe
from actors.pace import ReconcilePace
from bin.bootstrap.assembly import REPLAY, Place, Present, assemble
from bin.bootstrap.run import Ports, Run
from domain.market.candles import CandleSeries
from domain.market.instruments import DAY_MS
from infra.run.journals import open_fresh_journals
from infra.settings import Settings
from infra.venues.bybit.connection import BybitConnection, MarketConnection
from infra.venues.bybit.venues import Venue
from infra.venues.connection import Connection
from infra.venues.modes import STEPPED
from infra.venues.replay.lockstep import LockStep
from infra.venues.stepping import Stepper, Steps

MakeProbe = Callable[[Callable[[], int]], Probe | None]


def build_replay(
    settings: Settings,
    candles: Mapping[str, CandleSeries],
    directory: Path,
    *,
    make_probe: MakeProbe | None = None,
    is_lenient: bool = False,
) -> tuple[Run, LockStep]:
    """Return a replay that is ready to start, and what drives it.

    Args:
        settings: of the run.
        candles: by asset.
        directory: the run's own.
        make_probe: makes the drill's probe, of the replay's clock.
        is_lenient: restart at once and without limit.
    """
    rules = settings.trading_rules()
    lockstep = LockStep(candles, rules)
    now_ms = lockstep.clock.now_ms
    ports = Ports(
        feed=lockstep.feed,
        exchange=lockstep.exchange,
        clock=lockstep.clock,
        journals=open_fresh_journals(settings, directory, REPLAY, now_ms),
    )
    place = Place(settings=settings, directory=directory, mode=REPLAY, account="candle files")
    probe = None if make_probe is None else make_probe(now_ms)
    return assemble(place, rules, ports, probe=probe, is_lenient=is_lenient), lockstep


def build_stepped(
    settings: Settings,
    venue: Venue,
    candles: Mapping[str, CandleSeries],
    directory: Path,
) -> tuple[Run, Connection, Stepper]:
    """Return a run at a simulated exchange in lock-step, its connection, and what drives both.

    Raises:
        ConfigError: the run directory cannot be used.
        UnavailableError: the exchange does not answer.
    """
    rng = Random()  # noqa: S311 (jitter)
    rules, steps = settings.trading_rules(), Steps()
    journals = open_fresh_journals(settings, directory, STEPPED, steps.clock.now_ms)
    market = MarketConnection(
        venue,
        rules,
        lambda address: journals.open(address, lambda: None),
        journals.recent_candles,
        max_connections=settings.feed.max_connections,
        rng=rng,
        pace=steps.pace(),
    )
    trailing = rules.trailing
    priced = frozenset(asset.asset for asset in trailing)
    account = BybitConnection(market, venue, rng=rng, priced=priced)
    connection = Connection(market=market, account=account)
    market.measure_clock()
    rules = connection.account.prepare(rules)
    # All prices of a candle arrive at its close, and each may move the stop.
    rules = replace(rules, risk=replace(rules.risk, trail_interval_ms=0))
    ports = Ports(
        feed=market.feed,
        exchange=connection.account.exchange,
        clock=steps.clock,
        journals=journals,
    )
    place = Place(settings=settings, directory=directory, mode=STEPPED, account=venue.rest_url)
    present = Present(asking=ReconcilePace(reconcile_ms=DAY_MS))
    run = assemble(place, rules, ports, present=present)
    topics = [f"kline.5.{asset.instrument.symbol}" for asset in rules.assets]
    topics += [f"tickers.{asset.instrument.symbol}" for asset in trailing]
    return run, connection, Stepper(venue.rest_url, steps, topics, candles)
