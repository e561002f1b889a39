"""The command `bin/chaos`: kills and misleads whole systems by seed, and judges what is left."""

import io
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from bin.command import start
from domain.errors import ConfigError
from domain.text import counted
from infra.operator.terminal.screen import Screen
from infra.settings import load_settings
from infra.store.sqlite.driver import demand_sqlcipher
from tests.chaos.harness.plan import Plan, make_plan, on_postgres, read_faults
from tests.chaos.harness.processes import ChaosError, import_before
from tests.chaos.harness.report import coverage, render
from tests.chaos.harness.run import play
from tests.chaos.harness.scenario import Commands, Outcome
from tests.chaos.harness.soak import SoakOutcome, soak
from tests.postgres_server import MISSING, binaries

DONE, BROKEN, WRONG_USE = 0, 1, 2
_IMPORTED_BEFORE = ("bin.bootstrap.live", "bin.bootstrap.replay", "infra.venues.simulator.exchange")
"""What costs the commands most of their start."""
SETTINGS: dict[str, Any] = {
    "web": {"enabled": False},
    "strategy": {
        "ema_short_period": 2,
        "ema_long_period": 3,
        "warmup_candles": 40,
        "volatility_window": 20,
        "cross_threshold": 1000,
        "entry_max_age_ms": 600_000,
    },
    "portfolio": {"correlation_limit": 1.0},
    "risk": {"high_correlation_threshold": 1.0, "portfolio_loss_streak": 1000},
    "cooldown": {
        "per_asset_settings": {
            "short_hold_hours": 0.2,
            "short_hold_cooldown_hours": 0.2,
            "loss_streak_cooldown_hours": 0.2,
            "trades_per_hour_cooldown_minutes": 0,
            "trades_per_day_cooldown_hours": 0,
        },
        "global_settings": {"loss_streak_cooldown_hours": 0, "emergency_cooldown_hours": 0.2},
    },
    "execution": {"reconcile_seconds": 1},
    "supervision": {
        "max_restarts": 1000,
        "hang_seconds": 3,
        "shutdown_seconds": 10,
        "backoff_max_seconds": 1,
    },
    "start": {"patience_seconds": 5},
    "database": {"busy_timeout_ms": 1000},
}
"""Settings under which a minute holds dozens of trades, and under which failures heal fast."""
_LIVELY: dict[str, Any] = {"trail_pct": 0.003, "min_ratchet_pct": 0.0005}
TREND: dict[str, Any] = _LIVELY | {
    "ema_trigger_period": 2,
    "ema_trend_period": 3,
    "entry_confirmation_level": 1,
}
"""The second strategy at the same pace: its stops move several times in a position's life."""
SOAK_SETTINGS: dict[str, Any] = SETTINGS | {
    "risk": SETTINGS["risk"]
    | {
        "max_daily_loss_pct": 0.9,
        "drawdown_levels": [0.8, 0.9],
        "max_portfolio_drawdown_pct": 0.95,
    },
    "trace": {"segment_mb": 4, "kept_mb": 16},
}
"""Weeks of losing trades must not halt a soak, which would then show how it idles; and traces are
to reach what is kept of them."""


def main(
    *,
    runs: Annotated[int, typer.Option(min=1, help="Number of runs, with consecutive seeds.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the first run.")] = 1,
    minutes: Annotated[
        float | None, typer.Option(help="Start no further run after this many minutes.")
    ] = None,
    faults: Annotated[
        str, typer.Option(help="Faults of the exchange: all, none, or names separated by commas.")
    ] = "all",
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML page about all runs, or the soak.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Runs in parallel; a run mostly waits for real time.")
    ] = max(1, os.cpu_count() or 1),
    soak_for: Annotated[
        str | None,
        typer.Option("--soak", metavar="TIME", help="One long run instead: 30s, 5m or 2h."),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            help="Assets, strategies and limits of the systems; timing is not taken over."
        ),
    ] = None,
    database: Annotated[
        str, typer.Option(help="Journal database: sqlite, or postgres, with a server for each run.")
    ] = "sqlite",
    keep: Annotated[
        Path | None,
        typer.Option(help="Keep all run directories here; default: only those of failed runs."),
    ] = None,
) -> None:
    """Kill and disturb whole systems at every step, and check the exchange's records."""
    screen = Screen()
    try:
        names = read_faults(faults)
        on_server = _read_database(database)
        soak_s = None if soak_for is None else _seconds(soak_for)
        commands = _commands(with_file(SOAK_SETTINGS if soak_s else SETTINGS, settings))
    except ConfigError as error:
        Screen(stderr=True).print(str(error), style="red", highlight=False)
        raise typer.Exit(WRONG_USE) from error
    folder = keep or Path(tempfile.mkdtemp(prefix="chaos-"))
    if soak_s is not None:
        raise typer.Exit(_soak(screen, soak_s, seed, folder / "soak", report, commands))
    repeat = f"bin/chaos --runs 1 --seed {{seed}} --faults {faults}"
    repeat += " --database postgres" if on_server else ""
    repeat += "" if settings is None else f" --settings {settings}"
    outcomes = []
    deadline_s = None if minutes is None else time.monotonic() + minutes * 60
    plans = [make_plan(number, names) for number in range(seed, seed + runs)]
    plans = [on_postgres(plan) if on_server else plan for plan in plans]
    playing = partial(play, commands=commands, on_server=on_server)
    for outcome in _play_all(plans, playing, folder, jobs, deadline_s):
        outcomes.append(outcome)
        _show(screen, outcome, repeat, folder)
        if not outcome.problems and keep is None:
            shutil.rmtree(folder / str(outcome.seed), ignore_errors=True)
    outcomes.sort(key=lambda outcome: outcome.seed)
    if report is not None:
        report.write_text(render(outcomes, repeat), encoding="utf-8")
    _summarize(screen, outcomes)
    raise typer.Exit(BROKEN if any(outcome.problems for outcome in outcomes) else DONE)


def _play_all(
    plans: Sequence[Plan],
    playing: Callable[[Plan, Path], Outcome],
    folder: Path,
    jobs: int,
    deadline_s: float | None,
) -> Iterator[Outcome]:
    waiting = iter(plans)
    running: set[Future[Outcome]] = set()
    with ThreadPoolExecutor(jobs) as pool:
        while True:
            is_late = deadline_s is not None and time.monotonic() > deadline_s
            while len(running) < jobs and not is_late:
                plan = next(waiting, None)
                if plan is None:
                    break
                running.add(pool.submit(playing, plan, folder / str(plan.seed)))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)


def _soak(
    screen: Screen,
    length_s: float,
    seed: int,
    folder: Path,
    report: Path | None,
    commands: Commands,
) -> int:
    with Progress(console=screen) as progress:
        task = progress.add_task("soak", total=length_s)
        try:
            found = soak(
                length_s,
                seed,
                folder,
                commands,
                lambda sample: progress.update(task, completed=sample.at_s),
                trace_mb=SOAK_SETTINGS["trace"]["kept_mb"]
                + 2 * SOAK_SETTINGS["trace"]["segment_mb"],
            )
        except ChaosError as error:
            screen.print(f"{error} ({folder})", style="red")
            return BROKEN
    show_soak(screen, found)
    if report is not None:
        page = Screen(record=True, file=io.StringIO(), width=100)
        show_soak(page, found)
        page.save_html(str(report))
    return BROKEN if found.outcome.problems else DONE


def show_soak(screen: Screen, found: SoakOutcome) -> None:
    """Print a soak's figures, and what is wrong with them."""
    screen.print(_soak_table(found))
    for problem in found.outcome.problems:
        screen.print(problem, style="red")


def _soak_table(found: SoakOutcome) -> Table:
    table = Table("", "at the begin", "in the end", "most", title="Soak")
    first, last = found.samples[0], found.samples[-1]
    for name in ("memory_mb", "threads", "files", "sockets", "journal_mb", "wal_mb", "trace_mb"):
        most = max(getattr(sample, name) for sample in found.samples)
        values = (getattr(first, name), getattr(last, name), most)
        table.add_row(name.replace("_", " "), *(f"{value:,.0f}" for value in values))
    table.add_section()
    for name, text in {
        "minutes": f"{last.at_s / 60:.1f}",
        "reconnects": f"{found.reconnects:,}",
        "actor restarts": f"{found.restarts:,}",
        "trades": f"{found.outcome.trades:,}",
        "memory slope, MB/h": f"{found.memory_slope_mb_per_h:+.1f}",
    }.items():
        table.add_row(name, "", text, "")
    return table


def _read_database(text: str) -> bool:
    """Tell whether the journals are in PostgreSQL.

    Raises:
        ConfigError: they cannot be, or the database is unknown.
    """
    if text not in ("sqlite", "postgres"):
        raise ConfigError(f"--database {text}: expected sqlite or postgres")
    if text == "postgres" and binaries() is None:
        raise ConfigError(f"--database postgres: {MISSING}")
    return text == "postgres"


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if found is None:
        raise ConfigError(f"--soak {text}: expected a time like 30s, 5m or 2h")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


def with_file(pace: Mapping[str, Any], file: Path | None) -> dict[str, Any]:
    """Return the settings of a file, at the pace of a chaos run.

    Raises:
        ConfigError: it cannot be read.
    """
    if file is None:
        return dict(pace)
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"--settings {file}: cannot be read: {error}") from error
    for asset in found.get("portfolio", {}).get("assets", []):
        asset.update({name: _LIVELY[name] for name in _LIVELY.keys() & asset.keys()})
    return merged(found, {**pace, "confirmed_trend_long": TREND})


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return what both say; where both say something, `over` counts."""
    both = {**under, **over}
    for name in under.keys() & over.keys():
        if isinstance(under[name], Mapping) and isinstance(over[name], Mapping):
            both[name] = merged(under[name], over[name])
    return both


def _commands(settings: Mapping[str, Any]) -> Commands:
    import_before(_IMPORTED_BEFORE)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.yaml"
        file.write_text(json.dumps(settings))
        read = load_settings(file, environ={}, dotenv=None)
        rules = read.trading_rules()
    if read.storage.encryption:
        demand_sqlcipher()
    return Commands(
        exchange=["bin.sim_exchange"],
        system=["bin.run_actors"],
        settings=settings,
        rules=rules,
    )


def _show(screen: Screen, outcome: Outcome, repeat: str, folder: Path) -> None:
    met = ", ".join(sorted(+outcome.hits))
    line = f"seed {outcome.seed}: {counted(outcome.deaths, 'death')}, "
    line += f"{counted(outcome.trades, 'trade')}; {met}"
    if not outcome.problems:
        screen.print(Text.assemble(("ok", "green"), f"  {line}"))
        return
    screen.print(Text.assemble(("BAD", "red"), f" {line}"))
    for problem in outcome.problems:
        screen.print(f"      {problem}", style="red", highlight=False)
    screen.print(f"      {repeat.format(seed=outcome.seed)}   ({folder / str(outcome.seed)})")


def _summarize(screen: Screen, outcomes: Sequence[Outcome]) -> None:
    table = Table("what", "planned in runs", "met in runs", "times", title="What happened")
    for row in coverage(outcomes):
        table.add_row(row.name, *map(str, (row.planned, row.met, row.times)))
    screen.print(table)
    failed = sum(bool(outcome.problems) for outcome in outcomes)
    deaths = sum(outcome.deaths for outcome in outcomes)
    screen.print(f"{len(outcomes)} runs, {deaths} deaths, {failed} with a broken promise")


if __name__ == "__main__":
    start(main, "chaos")
