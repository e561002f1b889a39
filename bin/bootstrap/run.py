"""Puts a run together: the only file that knows both wings."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, cast

from loguru import logger

from actors.core.actor import whose_thread
from actors.core.supervisor import ChildStatus, RestartPolicy, Supervisor
from actors.core.system import ActorSystem, Probe
from actors.messages import ReportDue, SystemChanged, SystemStopping
from actors.names import NOTIFIER
from actors.outages import GATHER_MS
from actors.outdated import halt_if_outdated
from actors.ports import Clock, Exchange, Feed, Wallet
from actors.rerunning import Codec
from actors.runtime import Runtime
from actors.trace_types import ACTORS, PORTS, VALUES, messages
from actors.watch import LiveChecks
from actors.wording.system import RunInfo
from bin.bootstrap.children import Parts, child_specs
from bin.bootstrap.drills import Drills
from bin.bootstrap.run_files import (
    claim_journals,
    demand_room,
    open_fresh_journals,
    record_assets,
)
from domain.errors import JournalError
from domain.market.candles import CandleSeries
from domain.market.instruments import DAY_MS
from domain.rules import TradingRules
from infra.drills.broken_database import BrokenDatabase
from infra.drills.kill_points import Killer
from infra.drills.ports import DrilledExchange, DrilledJournals
from infra.drills.process import ProcessDrills
from infra.operator.notices.channels import Channels
from infra.operator.notices.inbox import Inbox
from infra.process.logs import start_logging
from infra.settings import Settings
from infra.settings.secrets import hiding, secrets_of
from infra.settings.sections.running import SupervisionSettings
from infra.store.journal import SqliteJournals
from infra.store.location import journal_file, note_journal
from infra.store.reserve import Reserve
from infra.store.trace_ids import first_id, id_text
from infra.trace.decode import TraceDecoder, TraceTypes, exception_of
from infra.trace.encode import pack, tagged, unpack
from infra.trace.recorder import TraceRecorder
from infra.trace.recording import OPENS, describe, new_recorder
from infra.venues.bybit.connection import BybitConnection, MarketConnection
from infra.venues.bybit.starting import Ask, ask_once
from infra.venues.bybit.venues import Venue
from infra.venues.connection import Connection
from infra.venues.modes import STEPPED
from infra.venues.paper.connection import PaperConnection
from infra.venues.replay.lockstep import LockStep
from infra.venues.stepping import Stepper, Steps

REPLAY = "replay"
_QUIET_CHECK_S = 0.2
_ASK_AGAIN_S = 1.0
"""Real time, whatever the speed of the exchange's clock."""
_WATCH_S = 1.0
_ANSWER_S = 0.5
"""How long the screen waits for an actor's answer."""
_PATIENCE_S = 60.0
_ACTORS_SHARE, _LAST_WORDS_SHARE = 0.6, 0.2
"""Of the time of a stop: for the actors, then for what the channels still carry."""
_DRILL_BACKOFF_S = 0.001
_NO_LIMIT = 1_000_000_000
_NO_DRILLS = Drills()
_NO_PROCESS_DRILLS = ProcessDrills()

MakeProbe = Callable[[Callable[[], int]], Probe | None]


def start_run_logging(
    logs: Path,
    mode: str,
    whole: Settings,
    *,
    screen: Callable[[str], None],
    screen_level: str,
) -> None:
    """Log to the screen and to the mode's own file among the logs, naming the actor at work."""
    settings = whole.logging
    start_logging(
        file=logs / f"{mode}.jsonl",
        level=settings.level,
        rotation=settings.rotation,
        retention_days=settings.retention_days,
        screen=screen,
        screen_level=screen_level,
        context=whose_thread,
        hide=hiding(secrets_of(whole)),
    )


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The outer world, as the actors of one run get it."""

    feed: Feed
    exchange: Exchange
    clock: Clock
    journals: SqliteJournals
    wallet: Wallet | None = None
    """None in a replay, where no money comes or goes."""


@dataclass(kw_only=True)
class Run(Runtime):
    """The actors of one run with the outer world that they were given."""

    ports: Ports
    recorder: TraceRecorder | None
    channels: Channels
    asking: Mapping[str, int] = field(default_factory=dict)
    """How often an execution asks the exchange; nothing in a replay, which hides nothing."""
    unknown: tuple[str, ...] = ()
    """Assets that were open at the exchange while the journal knew of nothing."""
    facts_until_ms: int | None = None
    """When the newest fact was stored before this process; None: none was."""
    checks: LiveChecks | None = None
    """What the portfolio looks at between closes; nothing in a replay."""
    patience: Mapping[str, int] = field(default_factory=dict)
    """How long the notifier waits for the answers that a report needs."""
    inbox: Inbox | None = None
    """Where the admin's messages go; nobody reads them in a replay."""
    health: Callable[[], Mapping[str, str]] | None = None
    """Figures of the process and its surroundings, by name; None: nobody looks."""
    warnings: tuple[str, ...] = ()
    """What the operator should know of the account; people are told at the start."""

    def start(self) -> None:
        """Start all actors and channels."""
        specs = child_specs(self._parts())
        if self.recorder is not None:
            self.recorder.start(describe(specs))
        self.supervisor.start(specs)
        self.channels.start()
        for warning in self.warnings:
            self._warn(warning)

    def _parts(self) -> Parts:
        ports = self.ports
        return Parts(
            rules=self.rules,
            info=self.info,
            feed=ports.feed,
            exchange=ports.exchange,
            clock=ports.clock,
            journals=ports.journals,
            outboxes=self.channels.outboxes,
            wallet=ports.wallet,
            asking=self.asking,
            unknown=self.unknown,
            facts_until_ms=self.facts_until_ms,
            checks=self.checks,
            patience=self.patience,
        )

    def _warn(self, warning: str) -> None:
        key = f"account/{warning}/{self.info.started_ms}"
        self.tell_operator(key, "The account needs a look", warning)

    def change(self, settings: Settings) -> None:
        """Let other kinds and times of notices hold, and look whether a report is due by them."""
        self.channels.change(settings.notifications)
        self.system.address(NOTIFIER).tell(ReportDue(), sender="runtime")

    def stop(self, timeout_s: float) -> None:
        """Stop all actors in order, and leave behind those that hang.

        Args:
            timeout_s: for the whole stop; what is left of it is for the connections.
        """
        escalated = self.supervisor.escalated.is_set()
        why = "an actor that all need was given up" if escalated else "asked to stop"
        self.system.address(NOTIFIER).tell(SystemStopping(why=why), sender="runtime")
        late = self.supervisor.stop(timeout_s * _ACTORS_SHARE)
        if late:
            logger.warning("did not stop in time and were abandoned: {}", ", ".join(late))
        if self.recorder is not None:
            self.recorder.close()
        self.channels.close(timeout_s * _LAST_WORDS_SHARE)
        self.ports.journals.reserve.close()


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
    policy = _lenient(settings.supervision) if is_lenient else _policy(settings.supervision)
    recorder = new_recorder(directory, REPLAY, settings)
    system = _system(now_ms, None if make_probe is None else make_probe(now_ms), recorder, settings)
    supervisor = Supervisor(system, policy, Random())  # noqa: S311 (jitter)
    run = Run(
        rules=rules,
        clock=ports.clock,
        ports=ports,
        system=system,
        supervisor=supervisor,
        recorder=recorder,
        **_notices(settings, ports, system, supervisor, REPLAY, "candle files"),
    )
    return run, lockstep


def build_live(
    settings: Settings,
    venue: Venue,
    directory: Path,
    mode: str,
    drills: Drills = _NO_DRILLS,
    process_drills: ProcessDrills = _NO_PROCESS_DRILLS,
    *,
    has_live_checks: bool = True,
    ask: Ask = ask_once,
) -> tuple[Run, Connection]:
    """Return a run at an exchange that is ready to start, and its connection.

    Args:
        settings: of the run.
        venue: where the account is.
        directory: the run's own.
        mode: whose facts the journal holds.
        drills: what is made to fail of the actors.
        process_drills: what is made to happen to the process.
        has_live_checks: whether the portfolio looks at the present between closes.
        ask: puts each question to the exchange, and decides what to do about an odd answer.

    Raises:
        ConfigError: the run directory or the account cannot be used.
        UnavailableError: the exchange does not answer.
    """
    killer = process_drills.make_killer()
    rng = Random()  # noqa: S311 (jitter)
    rules = settings.trading_rules()
    note_journal(directory, settings.database.file)
    file = journal_file(directory, settings.database.file)
    reserve = Reserve(file.with_suffix(".reserve"))
    reserve.make_room()
    journals = _drilled(
        SqliteJournals(
            file,
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
    now_ms = market.clock.now_ms
    ask(market.measure_clock)
    with journals.connected():
        facts_until_ms = journals.records().newest_recorded_ms()
        refused = claim_journals(journals, file, mode)
        journals.check(file)
    listed = ask(lambda: connection.account.prepare(rules))
    exchange = connection.account.exchange
    if refused is None and not reserve.is_allocated:
        refused = "no space for the reserve"
    if refused is not None:
        held = ask(lambda: tuple(_open_assets(exchange, listed)))
        demand_room(journals, file, refused, held)
    with suppress(*([] if refused is None else [JournalError])), journals.connected():
        record_assets(journals, listed)
    with journals.connected():
        is_new = not journals.has_samples()
    unknown = ask(lambda: tuple(_open_assets(exchange, listed))) if is_new else ()
    if not is_new:
        ask(lambda: halt_if_outdated(journals, exchange, listed, facts_until_ms, now_ms()))
    ports = Ports(
        feed=market.feed,
        exchange=cast("Exchange", DrilledExchange(cast("Any", exchange), killer))
        if killer
        else exchange,
        clock=market.clock,
        journals=journals,
        wallet=connection.account.wallet,
    )
    recorder = new_recorder(directory, mode, settings)
    system = _system(now_ms, drills.make_probe(now_ms), recorder, settings)
    process_drills.start_timed()
    supervisor = Supervisor(system, _policy(settings.supervision), rng)
    run = Run(
        rules=listed,
        clock=market.clock,
        ports=ports,
        system=system,
        supervisor=supervisor,
        **_notices(settings, ports, system, supervisor, mode, venue.rest_url),
        patience={
            "patience_ms": int(_PATIENCE_S * 1000 * venue.speed),
            "gather_ms": int(GATHER_MS * venue.speed),
        },
        recorder=recorder,
        asking={
            "ask_again_ms": int(_ASK_AGAIN_S * 1000 * venue.speed),
            "reconcile_ms": int(float(settings.execution.reconcile_seconds) * 1000 * venue.speed),
            "stale_ms": int(listed.protection.stale_data_ms * venue.speed),
        },
        checks=_live_checks(listed, venue.speed) if has_live_checks else None,
        unknown=unknown,
        facts_until_ms=facts_until_ms,
    )
    return run, connection


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
    account = BybitConnection(market, venue, rng=rng, has_marks=False)
    connection = Connection(market=market, account=account)
    market.measure_clock()
    rules = connection.account.prepare(rules)
    recorder = new_recorder(directory, STEPPED, settings)
    system = _system(steps.clock.now_ms, None, recorder, settings)
    supervisor = Supervisor(system, _policy(settings.supervision), rng)
    ports = Ports(
        feed=market.feed,
        exchange=connection.account.exchange,
        clock=steps.clock,
        journals=journals,
    )
    run = Run(
        rules=rules,
        clock=ports.clock,
        ports=ports,
        system=system,
        supervisor=supervisor,
        **_notices(settings, ports, system, supervisor, STEPPED, venue.rest_url),
        recorder=recorder,
        asking={"reconcile_ms": DAY_MS},
    )
    symbols = [asset.instrument.symbol for asset in rules.assets]
    return run, connection, Stepper(venue.rest_url, steps, symbols, candles)


def _open_assets(exchange: Exchange, rules: TradingRules) -> Iterator[str]:
    """Yield which assets the exchange shows to be open."""
    for asset in rules.assets:
        if exchange.venue_position(asset.asset).signed_qty:
            yield asset.asset


def _live_checks(rules: TradingRules, speed: float) -> LiveChecks:
    """Return the checks between closes, in real time whatever the speed of the exchange's clock."""
    return LiveChecks(
        every_ms=int(_WATCH_S * 1000 * speed), stale_ms=int(rules.protection.stale_data_ms * speed)
    )


def _notices(
    settings: Settings,
    ports: Ports,
    system: ActorSystem,
    supervisor: Supervisor,
    mode: str,
    account: str,
) -> dict[str, Any]:
    """Return what a run tells people, and where; over recorded candles in its journal alone."""

    def tell(key: str, title: str, detail: str) -> None:
        message = SystemChanged(key=f"{key}/{info.started_ms}", title=title, detail=detail)
        system.address(NOTIFIER).tell(message, sender="runtime")

    def is_well() -> bool:
        running = all(c.status is ChildStatus.RUNNING for c in supervisor.children())
        return running and not system.given_up

    info = RunInfo(mode=mode, account=account, started_ms=ports.clock.now_ms())
    notifications = settings.notifications
    if mode in (REPLAY, STEPPED):
        notifications = notifications.without_channels()
    inbox = Inbox()
    channels = Channels(
        notifications,
        ports.journals,
        mode=mode,
        rng=Random(),  # noqa: S311 (jitter)
        is_well=is_well,
        on_system=tell,
        handle_command=inbox,
    )
    return {
        "info": info,
        "channels": channels,
        "inbox": inbox,
    }


def _drilled(
    journals: SqliteJournals, killer: Killer | None, broken: BrokenDatabase | None
) -> SqliteJournals:
    if broken is not None:
        journals.before_write = broken.before_write
    if killer is None:
        return journals
    return cast("SqliteJournals", DrilledJournals(journals, killer))


def _system(
    now_ms: Callable[[], int],
    probe: Probe | None,
    recorder: TraceRecorder | None,
    settings: Settings,
) -> ActorSystem:
    """Return the addresses of this process; without a trace nobody compares ids of two."""
    session = 1 if recorder is None else recorder.session.number
    hide = hiding(secrets_of(settings))
    return ActorSystem(now_ms, probe, recorder, first_id(session), id_text, hide)


def _policy(settings: SupervisionSettings) -> RestartPolicy:
    return RestartPolicy(
        max_restarts=settings.max_restarts,
        within_s=float(settings.within_seconds),
        backoff_initial_s=float(settings.backoff_initial_seconds),
        backoff_max_s=float(settings.backoff_max_seconds),
        backoff_jitter_fraction=float(settings.backoff_jitter_fraction),
        hang_s=float(settings.hang_seconds),
        start_s=float(settings.start_seconds),
    )


def _lenient(settings: SupervisionSettings) -> RestartPolicy:
    """Return a policy under which a drill's crashes give nothing up."""
    return replace(
        _policy(settings),
        max_restarts=_NO_LIMIT,
        backoff_initial_s=_DRILL_BACKOFF_S,
        backoff_max_s=_DRILL_BACKOFF_S,
    )


def trace_codec() -> Codec:
    """Return what turns a stored trace into this program's messages, answers and actors."""
    types = TraceTypes(messages=messages(), values=VALUES, ports=PORTS, actors=ACTORS)
    return Codec(
        decode=TraceDecoder(types),
        actors=ACTORS,
        opens=OPENS,
        pack=pack,
        unpack=unpack,
        tagged=tagged,
        exception=exception_of,
    )
