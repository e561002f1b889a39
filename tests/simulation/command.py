"""The command `bin/simulate`: plays whole worlds by seed, and judges them after every event."""

import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from pdb import Pdb
from typing import Annotated

import typer
from loguru import logger
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from bin.command import start
from domain.errors import ConfigError
from domain.text import counted
from infra.operator.terminal.screen import Screen
from tests.simulation.coverage import never_met
from tests.simulation.events import DEEDS
from tests.simulation.faults import Plan, draw_plan
from tests.simulation.pace import settings_for
from tests.simulation.report import render, summed
from tests.simulation.shrinking import shrink
from tests.simulation.world import Outcome, World, play

DONE, BROKEN, WRONG_USE = 0, 1, 2
MINUTES = 60.0
_SELDOM = (100_000, 20, 100)
"""Each life leaves a circle of actors behind; to look for it more often costs a tenth."""


def main(
    *,
    seeds: Annotated[int, typer.Option(min=1, help="How many, one after the other.")] = 100,
    seed: Annotated[int, typer.Option(help="The first one.")] = 1,
    minutes: Annotated[
        float, typer.Option(min=1.0, help="Of trouble in each world, virtual; then it calms down.")
    ] = MINUTES,
    settings: Annotated[
        Path | None,
        typer.Option(help="Assets, strategies and limits of the systems; their pace stays ours."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Worlds at a time.")] = 2,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="End at the first broken promise, and show it.")
    ] = False,
    without: Annotated[
        str, typer.Option(help="Kinds of trouble that are off, with commas between.")
    ] = "",
    report: Annotated[
        Path | None, typer.Option(help="An HTML page of what was met, and what was not.")
    ] = None,
    pdb: Annotated[
        bool, typer.Option("--pdb", help="Stop in a debugger where a promise breaks.")
    ] = False,
) -> None:
    """Play the whole system in one thread, by seed: every fault, at any step; judge each event."""
    screen = Screen()
    off = [name for name in without.split(",") if name]
    try:
        settings_for(seed, settings)
        _check(off)
    except ConfigError as error:
        Screen(stderr=True).print(str(error), style="red", highlight=False)
        raise typer.Exit(WRONG_USE) from error
    began_s = time.monotonic()
    outcomes = []
    with Progress(console=screen, transient=True) as progress:
        task = progress.add_task("worlds", total=seeds)
        worlds = range(seed, seed + seeds)
        if pdb:
            progress.stop()
            played = (one(each, minutes, settings, off, _debug) for each in worlds)
        else:
            played = _play_all(worlds, minutes, settings, off, jobs)
        for outcome in played:
            outcomes.append(outcome)
            progress.advance(task)
            if outcome.problems:
                _show(screen, outcome)
                if fail_fast:
                    break
                _show_repeat(screen, outcome, minutes, settings, off)
    if report is not None:
        page = render(outcomes, lambda each: _repeat(each, minutes, settings, off))
        report.write_text(page, encoding="utf-8")
    if seeds == 1:
        screen.print(f"event hash {outcomes[0].event_hash}", highlight=False)
    _summarize(screen, outcomes, time.monotonic() - began_s)
    raise typer.Exit(BROKEN if any(outcome.problems for outcome in outcomes) else DONE)


def _check(names: Sequence[str]) -> None:
    allowed = Plan.all_names(DEEDS)
    for name in names:
        if name not in allowed:
            raise ConfigError(f"--without: found {name}; allowed: {', '.join(allowed)}")


def one(
    seed: int,
    minutes: float,
    settings: Path | None,
    off: Sequence[str],
    on_broken: Callable[[World], None] = lambda _world: None,
) -> Outcome:
    """Play one seed's world; in a process of its own where there are several."""
    logger.remove()
    gc.set_threshold(*_SELDOM)
    plan = draw_plan(seed, DEEDS).without(off)
    return play(seed, settings_for(seed, settings), minutes, plan, on_broken)


def _debug(world: World) -> None:
    """Let a person look at `world`: its exchange, its system, its judge."""
    sys.stdout.write("".join(f"{problem}\n" for problem in world.outcome.problems))
    Pdb().set_trace()


def _play_all(
    seeds: range, minutes: float, settings: Path | None, off: Sequence[str], jobs: int
) -> Iterator[Outcome]:
    if jobs == 1 or len(seeds) == 1:
        yield from (one(seed, minutes, settings, off) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        made = [pool.submit(one, seed, minutes, settings, off) for seed in seeds]
        try:
            for future in as_completed(made):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _show(screen: Screen, outcome: Outcome) -> None:
    screen.print(Text.assemble(("BAD", "red"), f"  seed {outcome.seed}"))
    for problem in outcome.problems:
        screen.print(f"     {problem}", style="red", highlight=False, soft_wrap=True)
    for event in outcome.last_events:
        screen.print(f"     {event}", style="dim", highlight=False, soft_wrap=True)


def _show_repeat(
    screen: Screen, outcome: Outcome, minutes: float, settings: Path | None, off: Sequence[str]
) -> None:
    names = shrink(
        outcome,
        lambda more: one(outcome.seed, minutes, settings, [*off, *more]),
        draw_plan(outcome.seed, DEEDS).without(off).names(),
    )
    repeat = _repeat(outcome.seed, minutes, settings, [*off, *names])
    screen.print(f"     {repeat}", highlight=False, soft_wrap=True)


def _repeat(seed: int, minutes: float, settings: Path | None, off: Sequence[str]) -> str:
    repeat = f"bin/simulate --seeds 1 --seed {seed} --minutes {minutes:g}"
    repeat += "" if settings is None else f" --settings {settings}"
    return f'{repeat} --without "{",".join(off)}"' if off else repeat


def _summarize(screen: Screen, outcomes: Sequence[Outcome], seconds: float) -> None:
    hits, pairs = summed(outcomes)
    table = Table("trouble", "times", title="What happened")
    for name, times in sorted(hits.items()):
        table.add_row(name, f"{times:,}")
    screen.print(table)
    minutes = sum(outcome.minutes for outcome in outcomes)
    deaths = sum(outcome.deaths for outcome in outcomes)
    failed = sum(bool(outcome.problems) for outcome in outcomes)
    screen.print(
        f"{counted(len(outcomes), 'world')}, {minutes / 60:,.1f} virtual hours, "
        f"{counted(deaths, 'death')}, {sum(o.orders for o in outcomes):,} orders, "
        f"{sum(o.messages for o in outcomes):,} messages, {sum(o.steps for o in outcomes):,} "
        f"switches; {len(pairs)} pairs of a death and a state of orders, {len(never_met(pairs))} "
        f"not met; {failed} with a broken promise",
        highlight=False,
        soft_wrap=True,
    )
    screen.print(
        f"{seconds:.1f} s: {minutes / seconds:,.0f} virtual minutes, {deaths / seconds:.1f} deaths "
        "a second",
        highlight=False,
    )


if __name__ == "__main__":
    start(main, "simulate")
