"""The command `bin/simulate`: plays whole worlds by seed, and judges them after every event."""

import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from pdb import Pdb
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from bin.command import start
from domain.errors import ConfigError
from domain.text import counted
from infra.operator.terminal.screen import Screen
from tests.simulation.coverage import never_met
from tests.simulation.events import DEEDS
from tests.simulation.pace import settings_for
from tests.simulation.plan import Plan
from tests.simulation.progress import ProgressLine
from tests.simulation.report import render, summed
from tests.simulation.shrinking import shrink
from tests.simulation.terms import Terms
from tests.simulation.world import Outcome, World

DONE, BROKEN, WRONG_USE = 0, 1, 2
MINUTES = 60.0


def main(
    *,
    seeds: Annotated[
        int, typer.Option(min=1, help="Number of worlds, with consecutive seeds.")
    ] = 100,
    seed: Annotated[int, typer.Option(help="First seed.")] = 1,
    minutes: Annotated[
        float,
        typer.Option(min=1.0, help="Virtual minutes of faults in each world; then it calms down."),
    ] = MINUTES,
    settings: Annotated[
        Path | None,
        typer.Option(
            help="Assets, strategies and limits of the systems; timing is not taken over."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Worlds in parallel.")] = 2,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first broken promise, and show it.")
    ] = False,
    without: Annotated[
        str, typer.Option(help="Kinds of fault to switch off, separated by commas.")
    ] = "",
    kills: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Probability of a kill at each step, instead of a random one."
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(help="Allow only these faults, as printed with a broken promise."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write an HTML page of which faults and states were covered."),
    ] = None,
    pdb: Annotated[
        bool, typer.Option("--pdb", help="Open a debugger where a promise breaks.")
    ] = False,
) -> None:
    """Run the whole system in one thread, with faults at any step, and check every event."""
    screen = Screen()
    terms = Terms(
        minutes=minutes,
        settings=settings,
        off=tuple(name for name in without.split(",") if name),
        kills=kills,
        only=None if only is None else tuple(key for key in only.split(",") if key),
    )
    try:
        settings_for(seed, settings)
        _check(terms.off)
    except ConfigError as error:
        Screen(stderr=True).print(str(error), style="red", highlight=False)
        raise typer.Exit(WRONG_USE) from error
    began_s = time.monotonic()
    worlds = range(seed, seed + seeds)
    if pdb:
        outcomes = [terms.play(each, _debug) for each in worlds]
    else:
        outcomes = _play_and_show(screen, worlds, terms, jobs, fail_fast=fail_fast)
    if report is not None:
        report.write_text(render(outcomes, terms.command), encoding="utf-8")
    if seeds == 1:
        screen.print(f"event hash {outcomes[0].event_hash}", highlight=False)
    _summarize(screen, outcomes, time.monotonic() - began_s)
    raise typer.Exit(BROKEN if any(outcome.problems for outcome in outcomes) else DONE)


def _check(names: Sequence[str]) -> None:
    allowed = Plan.all_names(DEEDS)
    for name in names:
        if name not in allowed:
            raise ConfigError(f"--without: found {name}; allowed: {', '.join(allowed)}")


def _debug(world: World) -> None:
    """Let a person look at `world`: its exchange, its system, its judge."""
    sys.stdout.write("".join(f"{problem}\n" for problem in world.outcome.problems))
    Pdb().set_trace()


def _play_all(seeds: range, terms: Terms, jobs: int) -> Iterator[Outcome]:
    if jobs == 1 or len(seeds) == 1:
        yield from map(terms.play, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        made = [pool.submit(terms.play, seed) for seed in seeds]
        try:
            for future in as_completed(made):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _play_and_show(
    screen: Screen, worlds: range, terms: Terms, jobs: int, *, fail_fast: bool
) -> list[Outcome]:
    outcomes = []
    line = ProgressLine(screen, len(worlds))
    with line.bar:
        for outcome in _play_all(worlds, terms, jobs):
            outcomes.append(outcome)
            line.add(outcome)
            if not outcome.problems:
                continue
            _show(screen, outcome)
            if fail_fast:
                break
            with line.looking_for_less(outcome.seed):
                _show_shrunk(screen, outcome, terms)
    return outcomes


def _show(screen: Screen, outcome: Outcome) -> None:
    screen.print(Text.assemble(("BAD", "red"), f"  seed {outcome.seed}"))
    for problem in outcome.problems:
        screen.print(f"     {problem}", style="red", highlight=False, soft_wrap=True)
    for event in outcome.last_events:
        screen.print(f"     {event}", style="dim", highlight=False, soft_wrap=True)


def _show_shrunk(screen: Screen, outcome: Outcome, terms: Terms) -> None:
    """Show the least trouble that breaks the same promise, how, and what repeats it."""
    shrunk = shrink(outcome, terms)
    least = shrunk.terms.play(outcome.seed, is_traced=True)
    head = f"{counted(len(least.strikes), 'event')} of {len(outcome.strikes)} do it as well:"
    lines = [head, *(f"{each.at_s:10.3f} s  {each.what}" for each in least.strikes)]
    for line in (*lines, *least.problems, *least.why, shrunk.terms.command(outcome.seed)):
        screen.print(f"     {line}", highlight=False, soft_wrap=True)


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
