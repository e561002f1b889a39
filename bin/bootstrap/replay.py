"""A run over candle files, from its options to its summary: in this process, or over sockets."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from actors.core.actor import whose_thread
from actors.drills.reading import DrillReader, Drills
from bin.bootstrap.assembly import REPLAY
from bin.bootstrap.recorded import build_replay, build_stepped
from bin.bootstrap.run import Run
from domain.errors import ConfigError, UnavailableError
from domain.market.candles import CandleSeries
from infra.candles.market_input import read_market
from infra.operator.report.trade_files import write_trades
from infra.operator.terminal.progress import candles_played
from infra.operator.terminal.screen import Screen, line_printer
from infra.operator.terminal.summary import render
from infra.process.garbage import spare_the_old
from infra.process.processor import on_one_processor
from infra.process.signals import call_at_signals
from infra.process.times import read_time
from infra.run.directory import RunDirectory
from infra.run.effects import warn_of_doubts
from infra.run.logs import start_run_logging
from infra.run.summary import replay_summary
from infra.settings import Settings, SettingsSource, default_dotenv
from infra.venues.modes import STEPPED
from infra.venues.simulator.process import SimulatedVenue, recorded_market

DONE, GAVE_UP, WRONG_USE = 0, 1, 2

_VAR = Path(__file__).resolve().parents[2] / "var"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What the command line says."""

    candles: Path
    settings: Path | None
    from_time: str | None
    to_time: str | None
    trades: Path | None
    run_dir: Path | None
    has_progress: bool
    drills: tuple[str, ...]
    seed: int
    is_stepped: bool = False
    """The simulated exchange plays the candles, in lock-step over its sockets."""


class Player(Protocol):
    """Plays the candles."""

    candles: Mapping[str, CandleSeries]

    def steps(self, wait_quiet: Callable[[], bool]) -> Iterator[tuple[int, int]]:
        """Yield each close and the number of its candles."""


def run_replay(options: ReplayOptions, screen: Screen) -> int:
    """Play the candles through the actors, show the summary, and return the exit code.

    Raises:
        ConfigError: the options or settings are wrong.
        BadDataError: the candle files are wrong.
    """
    source = SettingsSource(options.settings, environ=os.environ, dotenv=default_dotenv())
    settings = source.settings()
    candles = read_market(
        options.candles, settings.trading_rules(), options.from_time, options.to_time
    )
    drills = DrillReader(assets=list(candles), seed=options.seed, read_time=read_time).of_replay(
        options.drills
    )
    mode = STEPPED if options.is_stepped else REPLAY
    directory = RunDirectory(options.run_dir or _VAR / mode, settings)
    try:
        start_run_logging(
            (options.run_dir or _VAR) / "logs",
            mode,
            settings,
            whose_thread,
            screen=line_printer(screen),
            # The screen belongs to the progress bar and the summary; the file has the rest.
            screen_level="WARNING",
        )
        warn_of_doubts(source)
        if options.is_stepped:
            return _play_over_sockets(candles, directory.path, options, settings, screen)
        run, lockstep = build_replay(
            settings,
            candles,
            directory.path,
            make_probe=drills.make_probe,
            is_lenient=bool(drills.crash_probability),
        )
        return _play(run, lockstep, drills, options, settings, screen)
    finally:
        directory.release()


def _play_over_sockets(
    candles: Mapping[str, CandleSeries],
    directory: Path,
    options: ReplayOptions,
    settings: Settings,
    screen: Screen,
) -> int:
    market = recorded_market(
        options.candles.absolute(),
        warmup=settings.strategy.warmup_candles,
        from_time=options.from_time,
        to_time=options.to_time,
    )
    simulated = SimulatedVenue(settings, directory, market, options.settings)
    try:
        run, connection, stepper = build_stepped(settings, simulated.venue, candles, directory)
        try:
            connection.start()
            return _play(run, stepper, Drills(), options, settings, screen)
        finally:
            stepper.close()
            connection.close()
    except UnavailableError as error:
        raise ConfigError(f"the simulated exchange cannot be used: {error}") from error
    finally:
        simulated.close()


@on_one_processor()
def _play(
    run: Run,
    player: Player,
    drills: Drills,
    options: ReplayOptions,
    settings: Settings,
    screen: Screen,
) -> int:
    call_at_signals(run.stop_requested.set)
    began_s = time.monotonic()
    run.start()
    spare_the_old()
    last_ms, played = _steps(run, player, drills, screen, has_progress=options.has_progress)
    seconds = time.monotonic() - began_s
    run.stop(float(settings.supervision.shutdown_seconds))
    with run.ports.journals.connected():
        summary = replay_summary(
            run.ports.journals,
            run.rules,
            player.candles,
            restarts=run.restarts(),
            given_up=run.given_up(),
            last_ms=last_ms,
            is_complete=played == _candle_count(player) and not run.is_to_end(),
            seconds=seconds,
            candles_played=played,
        )
    if options.trades is not None:
        write_trades(options.trades, summary.trades)
    Screen().print(render(summary))
    return GAVE_UP if run.supervisor.escalated.is_set() else DONE


def _steps(
    run: Run, player: Player, drills: Drills, screen: Screen, *, has_progress: bool
) -> tuple[int | None, int]:
    """Play all closes; return the last one and the number of candles."""
    last_ms, played, waiting = None, 0, list(drills.suspensions)
    with candles_played(screen, _candle_count(player), is_shown=has_progress) as show:
        for t_ms, count in player.steps(run.wait_quiet):
            for due in [due for due in waiting if t_ms >= due[1]]:
                run.suspend(due[0], "suspend drill")
                waiting.remove(due)
            last_ms, played = t_ms, played + count
            show(played)
    return last_ms, played


def _candle_count(player: Player) -> int:
    return sum(len(series) for series in player.candles.values())
