"""A run at an exchange, from its options to its end."""

import os
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from bin.bootstrap import Run, RunDirectory, build_live, start_run_logging
from bin.drills import read_sim_drills
from bin.live_view import LiveView
from bin.process_drills import read_process_drills
from bin.simulated import SimulatedVenue, generated_market
from domain.errors import AccessDeniedError, ConfigError, UnavailableError
from infra.settings import Settings, default_dotenv, load_settings

DONE, GAVE_UP = 0, 1
_VAR = Path(__file__).resolve().parents[1] / "var"
_DRAW_EVERY_S = 0.5
_EVENTS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """What the command line says."""

    mode: str
    settings: Path | None
    run_dir: Path | None
    drills: tuple[str, ...] = ()
    seed: int = 0
    """Of the drills."""


def run_live(options: LiveOptions, screen: Console) -> int:
    """Trade until a signal comes, show it, and return the exit code.

    Raises:
        ConfigError: the options or settings are wrong, or the exchange does not answer.
    """
    settings = load_settings(options.settings, environ=os.environ, dotenv=default_dotenv())
    assets = [asset.asset for asset in settings.trading_rules().assets]
    process_drills, texts = read_process_drills(options.drills)
    drills = read_sim_drills(texts, assets, options.seed)
    directory = RunDirectory(options.run_dir or _VAR / options.mode)
    logs = _VAR / "logs" if options.run_dir is None else options.run_dir / "logs"
    events: deque[str] = deque(maxlen=_EVENTS_SHOWN)
    start_run_logging(
        logs,
        options.mode,
        settings.logging,
        screen=_keeper(events) if screen.is_terminal else _printer(screen),
        screen_level=settings.logging.level,
    )
    market = generated_market(settings, directory.path)
    simulated = SimulatedVenue(settings, directory.path, market, options.settings)
    try:
        run, connection = build_live(
            settings, simulated.venue, directory.path, options.mode, drills, process_drills
        )
        try:
            connection.start()
            return _trade(run, LiveView(run, options.mode, events), screen, _stop_s(settings))
        finally:
            connection.close()
    except (UnavailableError, AccessDeniedError) as error:
        raise ConfigError(f"the exchange cannot be used: {error}") from error
    finally:
        simulated.close()
        directory.release()


def _trade(run: Run, view: LiveView, screen: Console, stop_s: float) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: run.stop_requested.set())
    run.start()
    if screen.is_terminal:
        with Live(view.draw(), console=screen, auto_refresh=False, screen=False) as live:
            while not _is_over(run):
                live.update(view.draw(), refresh=True)
    else:
        while not _is_over(run):
            pass
    last = view.draw()
    run.stop(stop_s)
    Console().print(last)
    return GAVE_UP if run.supervisor.escalated.is_set() else DONE


def _is_over(run: Run) -> bool:
    return run.stop_requested.wait(_DRAW_EVERY_S) or run.is_to_end()


def _stop_s(settings: Settings) -> float:
    return float(settings.supervision.shutdown_seconds)


def _keeper(events: deque[str]) -> Callable[[str], None]:
    return lambda line: events.append(line.rstrip("\n"))


def _printer(screen: Console) -> Callable[[str], None]:
    return lambda line: screen.print(Text.from_ansi(line.rstrip("\n")), soft_wrap=True)
