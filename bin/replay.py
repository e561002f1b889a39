"""A replay from its options to its summary."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from bin.bootstrap import REPLAY, Run, RunDirectory, build_replay, start_run_logging
from bin.drills import Drills, read_replay_drills, read_time
from bin.summary_view import RunSummary, render
from domain.candles import CandleSeries
from domain.summary import in_order, max_drawdown
from infra.candle_files import read_candles
from infra.replay.lockstep import LockStep
from infra.settings import Settings, default_dotenv, load_settings
from infra.trade_files import write_trades

DONE, GAVE_UP, WRONG_USE = 0, 1, 2

_VAR = Path(__file__).resolve().parents[1] / "var"
_PROGRESS_EVERY = 100
"""Closes between two steps of the progress bar."""


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


def run_replay(options: ReplayOptions, screen: Console) -> int:
    """Play the candles through the actors, show the summary, and return the exit code.

    Raises:
        ConfigError: the options or settings are wrong.
        BadDataError: the candle files are wrong.
    """
    settings = load_settings(options.settings, environ=os.environ, dotenv=default_dotenv())
    candles = _read_candles(options, settings)
    drills = read_replay_drills(options.drills, list(candles), options.seed)
    directory = RunDirectory(options.run_dir or _VAR / "replay")
    try:
        _start_logging(options, settings, screen)
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


def _play(
    run: Run,
    lockstep: LockStep,
    drills: Drills,
    options: ReplayOptions,
    settings: Settings,
    screen: Console,
) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: run.stop_requested.set())
    began_s = time.monotonic()
    run.start()
    last_ms, played = _steps(run, lockstep, drills, screen, has_progress=options.has_progress)
    seconds = time.monotonic() - began_s
    run.stop(float(settings.supervision.shutdown_seconds))
    with run.ports.journals.connected():
        summary = _summary(run, lockstep, last_ms, played, seconds)
    if options.trades is not None:
        write_trades(options.trades, summary.trades)
    Console().print(render(summary))
    return GAVE_UP if run.supervisor.escalated.is_set() else DONE


def _steps(
    run: Run, lockstep: LockStep, drills: Drills, screen: Console, *, has_progress: bool
) -> tuple[int | None, int]:
    """Play all closes and return the last one and the number of candles played."""
    last_ms, played, waiting = None, 0, list(drills.suspensions)
    bar = Progress(
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:3.0f}% {task.fields[rate]} candles/s, left"),
        TimeRemainingColumn(),
        console=screen,
        disable=not (has_progress and screen.is_terminal),
    )
    with bar:
        task = bar.add_task("", total=lockstep.candle_count, rate="-")
        began_s = time.monotonic()
        for place, (t_ms, count) in enumerate(lockstep.steps(run.wait_quiet)):
            for due in [due for due in waiting if t_ms >= due[1]]:
                run.suspend(due[0], "suspend drill")
                waiting.remove(due)
            played += count
            last_ms = t_ms
            if place % _PROGRESS_EVERY == 0:
                rate = played / max(time.monotonic() - began_s, 1e-9)
                bar.update(task, completed=played, rate=f"{rate:,.0f}")
        bar.update(task, completed=played)
    return last_ms, played


def _summary(
    run: Run,
    lockstep: LockStep,
    last_ms: int | None,
    played: int,
    seconds: float,
) -> RunSummary:
    journals, candles = run.ports.journals, lockstep.candles
    engine = lockstep.exchange.engine
    samples = journals.samples()
    return RunSummary(
        assets=list(candles),
        trades=in_order(journals.trades(), [asset.asset for asset in run.rules.assets]),
        refusals=journals.refusals_by_reason(),
        max_drawdown=max_drawdown(samples),
        initial_balance=run.rules.fills.initial_balance,
        final_balance=engine.wallet,
        open_positions=list(engine.positions.values()),
        restarts=run.restarts(),
        given_up=run.given_up(),
        is_halted=bool(samples) and samples[-1].is_halted,
        carried_forward={name: int(series.carried.sum()) for name, series in candles.items()},
        first_ms=min(int(series.open_time_ms[0]) for series in candles.values()),
        last_ms=last_ms,
        is_complete=played == lockstep.candle_count and not run.is_to_end(),
        seconds=seconds,
        candles=played,
    )


def _read_candles(options: ReplayOptions, settings: Settings) -> dict[str, CandleSeries]:
    rules = settings.trading_rules()
    from_ms = None if options.from_time is None else read_time("--from", options.from_time)
    to_ms = None if options.to_time is None else read_time("--to", options.to_time)
    by_symbol = read_candles(
        options.candles,
        [asset.instrument.symbol for asset in rules.assets],
        candle_ms=rules.strategy.candle_ms,
        from_ms=from_ms,
        to_ms=to_ms,
    )
    return {asset.asset: by_symbol[asset.instrument.symbol] for asset in rules.assets}


def _start_logging(options: ReplayOptions, settings: Settings, screen: Console) -> None:
    logs = _VAR / "logs" if options.run_dir is None else options.run_dir / "logs"
    start_run_logging(
        logs,
        REPLAY,
        settings.logging,
        screen=lambda line: screen.print(Text.from_ansi(line.rstrip("\n")), soft_wrap=True),
        # The screen belongs to the progress bar and the summary; the file has the rest.
        screen_level="WARNING",
    )
