"""Runs in the present: at an exchange, real or simulated, or on paper at a real market."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

from actors.core.host import Host
from actors.core.system import Probe
from actors.drills.reading import Drills
from actors.outdated import halt_if_outdated, open_assets
from actors.pace import NoticePace, ReconcilePace
from actors.watch import LiveChecks
from bin.bootstrap.assembly import Place, Present, assemble
from bin.bootstrap.run import Ports, Run
from domain.errors import JournalError
from infra.drills.kill_points import Killer
from infra.drills.ports import drilled_exchange, drilled_journals
from infra.drills.process import ProcessDrills
from infra.run.journals import claim_journals, demand_room, record_assets, reserve_of
from infra.settings import Settings
from infra.store.journal import JournalStore
from infra.store.location import journal_location, note_journal
from infra.store.opening import open_store
from infra.venues.bybit.connection import BybitConnection, MarketConnection
from infra.venues.bybit.starting import Ask, ask_once
from infra.venues.bybit.venues import Venue
from infra.venues.connection import Connection
from infra.venues.paper.connection import PaperConnection

_NO_DRILLS = Drills()
_NO_PROCESS_DRILLS = ProcessDrills()


def build_live(
    settings: Settings,
    venue: Venue,
    directory: Path,
    mode: str,
    drills: Drills = _NO_DRILLS,
    process_drills: ProcessDrills = _NO_PROCESS_DRILLS,
    *,
    has_live_checks: bool = True,
    delisted: Collection[str] = (),
    ask: Ask = ask_once,
) -> tuple[Run, Connection]:
    """Return a run at an exchange that is ready to start, and its connection.

    Args:
        settings: of the run.
        venue: where the account is.
        directory: the run's own.
        mode: whose facts the journal holds.
        drills: failures to inject into the actors.
        process_drills: failures to inject into the process.
        has_live_checks: whether the portfolio looks at the present between closes.
        delisted: symbols that are traded at the exchange no more.
        ask: calls the exchange, and decides what to do about an unexpected answer.

    Raises:
        ConfigError: the run directory or the account cannot be used.
        UnavailableError: the exchange does not answer.
    """
    killer = process_drills.make_killer()
    rng = Random()  # noqa: S311 (jitter)
    rules = settings.trading_rules()
    location = journal_location(directory, settings.database, mode)
    note_journal(directory, location)
    reserve = reserve_of(settings, directory)
    reserve.make_room()
    journals = drilled_journals(
        open_store(
            location,
            lambda: market.clock.now_ms(),  # noqa: PLW0108 (made below)
            busy_timeout_ms=settings.database.busy_timeout_ms,
            reserve=reserve,
        ),
        killer,
        process_drills.make_broken_database(),
    )
    market = MarketConnection(
        venue,
        rules,
        lambda address: journals.open(address, lambda: None),
        journals.recent_candles,
        max_connections=settings.feed.max_connections,
        rng=rng,
    )
    account: BybitConnection | PaperConnection
    if venue.credentials is None:
        account = PaperConnection(market, rules, directory / "paper.state")
    else:
        account = BybitConnection(market, venue, rng=rng)
    connection = Connection(market=market, account=account)
    stale_ms = rules.protection.stale_data_ms
    reconcile_s = float(settings.execution.reconcile_seconds)
    present = Present(
        asking=ReconcilePace.at_speed(venue.speed, reconcile_s, stale_ms),
        telling=NoticePace.at_speed(venue.speed),
        checks=LiveChecks.at_speed(venue.speed, stale_ms) if has_live_checks else None,
    )
    run = compose(
        Place(settings=settings, directory=directory, mode=mode, account=venue.rest_url),
        journals,
        connection,
        present,
        killer=killer,
        probe=drills.make_probe(market.clock.now_ms),
        delisted=delisted,
        ask=ask,
    )
    process_drills.start_timed()
    return run, connection


def compose(
    place: Place,
    journals: JournalStore,
    connection: Connection,
    present: Present,
    *,
    killer: Killer | None = None,
    probe: Probe | None = None,
    delisted: Collection[str] = (),
    ask: Ask = ask_once,
    host: Host | None = None,
) -> Run:
    """Return a run that goes on from what journal and account hold, ready to start.

    Args:
        place: settings, directory and mode.
        journals: of the run.
        connection: to the market and the account.
        present: how often it looks at the present.
        killer: watches the requests to the exchange; None: they are not watched.
        probe: injects failures into the actors.
        delisted: symbols that are traded at the exchange no more.
        ask: calls the exchange.
        host: what it runs on; None: threads.

    Raises: as `build_live`.
    """
    market, account = connection.market, connection.account
    ask(market.measure_clock)
    location = journal_location(place.directory, place.settings.database, place.mode)
    with journals.connected():
        facts_until_ms = journals.records().newest_recorded_ms()
        refused = claim_journals(journals, location, place.mode)
        journals.check()
    rules = place.settings.trading_rules()
    listed = ask(lambda: account.prepare(rules, delisted))
    exchange = account.exchange
    # The exchange may refuse to answer for a delisted symbol; its execution actor asks later.
    known = tuple(a for a in listed.assets if a.instrument.symbol not in delisted)
    asked = replace(listed, assets=known, order=listed.order or tuple(a.asset for a in known))
    if refused is None and not journals.reserve.is_allocated:
        refused = "no space for the reserve"
    if refused is not None:
        held = ask(lambda: tuple(open_assets(exchange, asked)))
        demand_room(journals, place.directory, refused, held)
    with suppress(*([] if refused is None else [JournalError])), journals.connected():
        record_assets(journals, listed)
    with journals.connected():
        is_new = not journals.has_samples()
    unknown = ask(lambda: tuple(open_assets(exchange, asked))) if is_new else ()
    if not is_new:
        now_ms = market.clock.now_ms
        ask(lambda: halt_if_outdated(journals, exchange, asked, facts_until_ms, now_ms()))
    ports = Ports(
        feed=market.feed,
        exchange=drilled_exchange(exchange, killer),
        clock=market.clock,
        journals=journals,
        wallet=account.wallet,
    )
    present = replace(present, unknown=unknown, facts_until_ms=facts_until_ms)
    return assemble(place, listed, ports, probe=probe, present=present, host=host)
