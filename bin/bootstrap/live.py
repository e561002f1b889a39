"""A run at an exchange, from its options to its end."""

import os
import signal
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from loguru import logger

from actors.core.actor import whose_thread
from actors.drills.reading import DrillReader
from bin.bootstrap.live_view import SteeredRun
from bin.bootstrap.operator_ways import open_office
from bin.bootstrap.present import build_live
from bin.bootstrap.run import Run
from bin.bootstrap.watching import sources_of, surroundings_of
from domain.errors import JournalError, UnavailableError
from domain.operator.pairs import joined_ms
from domain.portfolio.snapshots import PortfolioSnapshot
from infra.drills.process import read_process_drills
from infra.operator.control.tally import Tally
from infra.operator.health.keepers import Keepers
from infra.operator.health.view import health_figures
from infra.operator.health.watch import Health
from infra.operator.notices.channels import check_addresses
from infra.operator.panic_file import request_panic
from infra.operator.parity.daily import DailyParity
from infra.operator.reload import Reload
from infra.operator.terminal.live.view import LiveView
from infra.operator.terminal.screen import Screen, line_keeper, line_printer
from infra.operator.terminal.session import Session
from infra.operator.web.child import page_beside, show_page
from infra.process.garbage import spare_the_old
from infra.process.logs import set_level
from infra.process.processor import on_one_processor
from infra.process.signals import call_at_signals, interrupted_by_every_end
from infra.process.systemd import ServiceManager
from infra.process.times import read_time
from infra.process.watchdog import Watchdog
from infra.run.account import may_trade
from infra.run.backup_beside import backup_beside
from infra.run.delisted import delisted, told
from infra.run.directory import RunDirectory
from infra.run.effects import without_effect
from infra.run.journals import make_room
from infra.run.logs import start_run_logging
from infra.run.pairs.command import Pairs
from infra.run.rotation import key_rotation
from infra.run.start_wait import StartWaitRoom
from infra.settings import Settings, SettingsSource, default_dotenv
from infra.settings.stored import capital_changes
from infra.store.location import find_journal, journal_location
from infra.store.pairs import stored_changes
from infra.store.settings_record import SettingsRecord
from infra.venues.bybit.starting import Ban, StartQuestions
from infra.venues.modes import Mode, market_of
from infra.venues.simulator.process import simulated

DONE, GAVE_UP = 0, 1
_VAR = Path(__file__).resolve().parents[2] / "var"
_LOOK_EVERY_S = 0.5
_LAST_ANSWER_S = 0.5
"""Fraction of the time for the stop that a hanging portfolio may take up."""
_EVENTS_KEPT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """What the command line says."""

    mode: Mode
    settings: Path | None
    run_dir: Path | None
    drills: tuple[str, ...] = ()
    seed: int = 0
    """Seed of the drills."""


def run_live(options: LiveOptions, screen: Screen) -> int:
    """Trade until a signal comes, show it, and return the exit code.

    Raises:
        ConfigError: the options or settings are wrong, or the exchange refuses the key twice.
    """
    try:
        with interrupted_by_every_end():
            return _run(options, screen)
    except KeyboardInterrupt:
        screen.print("Stopped before it traded.")
        return DONE
    except UnavailableError as error:
        # Not a wrong use: the same start may work later, and a service manager retries it.
        text = f"the exchange cannot be used: {error}"
        logger.error("{}", text)
        if screen.is_terminal:  # elsewhere the log is on the screen
            screen.print(text, style="red", highlight=False, soft_wrap=True)
        return GAVE_UP


@on_one_processor()
def _run(options: LiveOptions, screen: Screen) -> int:
    source = SettingsSource(options.settings, environ=os.environ, dotenv=default_dotenv())
    settings = source.settings()
    check_addresses(settings.notifications, settings.events)
    mode = options.mode
    assets = [asset.asset for asset in settings.trading_rules().assets]
    service = ServiceManager(os.environ)
    process_drills, texts = read_process_drills(options.drills)
    drills = DrillReader(assets=assets, seed=options.seed, read_time=read_time).of_simulation(texts)
    venue = market_of(mode, settings, os.environ, options.drills)
    directory = RunDirectory(options.run_dir or _VAR / mode, settings)
    watchdog = Watchdog(directory.path / "frozen.txt", float(settings.supervision.freeze_seconds))
    with ExitStack() as held, watchdog.ending_in_time(_stop_s(settings), DONE):
        held.callback(directory.release)
        held.callback(_at_sigusr2(partial(request_panic, directory.path)))
        events: deque[str] = deque(maxlen=_EVENTS_KEPT)
        start_run_logging(
            (options.run_dir or _VAR) / "logs",
            mode,
            settings,
            whose_thread,
            screen=line_keeper(events) if screen.is_terminal else line_printer(screen),
            screen_level=settings.logging.level,
        )
        make_room(settings, directory.path)
        changes = stored_changes(journal_location(directory.path, settings.database, mode))
        settings = source.settings(pairs=changes)
        for line in without_effect(settings, mode, source.merged(changes)):
            logger.warning("{}", line)
        held.enter_context(backup_beside(settings, directory.path, mode))
        page = held.enter_context(page_beside(settings.web, directory.path, options.settings))
        room = StartWaitRoom(settings, directory.path, mode, screen, service)
        held.callback(room.close)
        questions = StartQuestions(
            float(settings.start.patience_seconds), Ban(directory.path / "not-before"), room
        )
        if venue is None:
            venue = held.enter_context(simulated(settings, directory.path, options.settings))
        elif mode.has_account and not may_trade(mode, venue, settings, questions.ask, held, screen):
            screen.print("Stopped; nothing was done.")
            return DONE
        gone = delisted(venue, changes, questions.ask)
        run, connection = build_live(
            settings,
            venue,
            directory.path,
            mode,
            drills,
            process_drills,
            delisted=gone,
            ask=questions.ask,
        )
        room.close()
        held.callback(connection.close)
        run.warnings = (
            *(connection.account.warnings if mode.has_account else ()),
            *map(told, gone.values()),
        )
        connection.start()
        tally = Tally()
        health = Health(
            sources_of(run),
            connection,
            settings,
            directory.path,
            accesses=tally.counts,
        )
        run.health = lambda: health_figures(health.figures)
        run.inspector.look_around = partial(surroundings_of, run, connection.market, health)
        reload = _reload(run, health, settings, options.settings)
        _take_capital_changes(run)
        run.rules = replace(run.rules, joins_ms=joined_ms(changes))
        pairs = Pairs(
            run,
            connection,
            run.ports.journals,
            reload,
            changes,
            source,
            speed=venue.speed,
            delisted=gone,
        )
        reload.pairs = held.enter_context(pairs)
        commands = held.enter_context(
            open_office(
                run, settings, reload, pairs, directory.path, health.pages().routes(), tally
            )
        )
        # From here on a panic can be requested even if no file can be created.
        held.callback(_at_sigusr2(commands.panic_file.request))
        held.enter_context(
            key_rotation(settings, mode, connection.account, directory.path, run.tell_operator)
        )
        held.enter_context(
            DailyParity(
                directory.path,
                options.settings,
                notices=settings.notifications.rules(),
                clock=run.ports.clock,
                tell=run.tell_operator,
            )
        )
        steered = SteeredRun(
            run=run,
            commands=commands,
            journal=find_journal(directory.path),
            events=events,
        )
        show_page(page, screen, events)
        return _trade(
            run,
            steered,
            screen,
            _stop_s(settings),
            Keepers(watchdog=watchdog, health=health, service=service),
        )


def _at_sigusr2(ask_for_panic: Callable[[str], object]) -> Callable[[], None]:
    """Request a panic on SIGUSR2, and return what removes the handler."""
    return call_at_signals(partial(ask_for_panic, "SIGUSR2"), [signal.SIGUSR2])


def _take_capital_changes(run: Run) -> None:
    with run.ports.journals.connected():
        changes = capital_changes(run.ports.journals.records().settings_changes())
    run.rules = replace(run.rules, capital_changes=changes)


def _reload(run: Run, health: Health, settings: Settings, file: Path | None) -> Reload:
    """Store the settings in force at the start, and return what changes them later."""
    now_ms, record = run.ports.clock.now_ms, SettingsRecord(run.ports.journals)
    origin = run.note("settings", "read at the start", "runtime")
    try:
        record.note(settings, "at the start", now_ms(), lambda: origin)
    except JournalError as error:
        logger.warning("whether settings were changed is noted at the next start: {}", error)

    def apply(changed: Settings) -> None:
        set_level(changed.logging.level)
        health.change(changed)
        run.change(changed)

    return Reload(settings, file, record, apply, now_ms)


def _trade(run: Run, steered: SteeredRun, screen: Screen, stop_s: float, keepers: Keepers) -> int:
    run.supervisor.on_turn = keepers.turn
    call_at_signals(run.stop_requested.set)
    run.start()
    spare_the_old()
    keepers.health.start()
    keepers.service.ready(f"trades in mode {run.info.mode}")
    begin_ms = run.ports.clock.now_ms()
    if screen.is_terminal:
        LiveView(steered, screen).show()
        screen.print("Shutting down; positions stay under their stops at the exchange.")
    else:
        while not _is_over(run):
            pass
    code = GAVE_UP if run.supervisor.escalated.is_set() else DONE
    keepers.watchdog.end_within(stop_s, code)
    keepers.service.stopping("shuts down; positions stay under their stops")
    keepers.health.close()
    portfolio = run.portfolio_snapshot(_LAST_ANSWER_S)  # only running actors know
    run.stop(stop_s)
    _show_summary(run, begin_ms, portfolio)
    return code


def _show_summary(run: Run, begin_ms: int, portfolio: PortfolioSnapshot | None) -> None:
    session = Session(
        mode=run.info.mode,
        begin_ms=begin_ms,
        end_ms=run.ports.clock.now_ms(),
        assets=[rules.asset for rules in run.rules.assets],
        portfolio=portfolio,
        restarts=run.restarts(),
        given_up=run.given_up(),
    )
    journals = run.ports.journals
    with journals.connected():
        Screen().print(session.draw(journals.records()))


def _is_over(run: Run) -> bool:
    return run.stop_requested.wait(_LOOK_EVERY_S) or run.is_to_end()


def _stop_s(settings: Settings) -> float:
    return float(settings.supervision.shutdown_seconds)
