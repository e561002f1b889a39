"""Show what a run did and why, and replay it under a debugger."""

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing, suppress
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from loguru import logger

from bin.bootstrap.reruns import replay_actor, state_at
from bin.command import VAR, one_line, start
from infra.operator.terminal.screen import Screen
from infra.process.times import read_time
from infra.store.reader import FactReader
from infra.trace.names import message_name
from infra.trace.query.crashes import crash_view, crashes_in, crashes_table, find_crash
from infra.trace.query.diff import differ
from infra.trace.query.export import write_trace
from infra.trace.query.figures import slow_table, stats_table
from infra.trace.query.orders import orders_json, orders_table
from infra.trace.query.runs import (
    check_actor,
    facts_of,
    newest_run,
    read_message_id,
    reader_of,
    replay_notes,
)
from infra.trace.query.story import as_json, story_of, story_view
from infra.trace.query.tail import Wanted, followed, newest
from infra.trace.query.text import line
from infra.trace.query.tree import trace_tree
from infra.trace.reader import TraceReader
from infra.trace.recording import trace_directory

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
_WIDTH_OF_A_FILE = 160
"""Width of the output if it is not a terminal and COLUMNS is not set."""

screen = Screen(
    soft_wrap=True,
    width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_A_FILE,
)
_run: dict[str, Path] = {}
_held = ExitStack()


@app.callback()
def choose_run(
    run_dir: Annotated[
        Path | None,
        typer.Option(help="Run directory or crash file; default: the newest run in var/."),
    ] = None,
) -> None:
    """Show what happened in a run, live or finished."""
    logger.remove()
    _run.clear()
    if run_dir is not None:
        _run["at"] = run_dir


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add a command; a user's mistake is one line and exit code 2."""

    @wraps(function)
    def run(*arguments: Any, **options: Any) -> None:
        code = None
        with one_line(), suppress(KeyboardInterrupt), _held:
            code = function(*arguments, **options)
        raise typer.Exit(code or 0)

    return app.command()(run)


@command
def orders(*, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show every order, every refused entry with its reason, and the exchange's own exits."""
    facts = _facts()
    if json:
        print(orders_json(facts))
    else:
        screen.print(orders_table(facts))


@command
def tail(
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep following.")] = False,
    actor: Annotated[str | None, typer.Option(help="Only messages to this actor.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="Only this type of message.")] = None,
    asset: Annotated[str | None, typer.Option(help="Only messages about this asset.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="ISO", help="From this time on (trading clock, UTC).")
    ] = None,
    count: Annotated[int, typer.Option("-n", help="Newest messages; 0: all.", min=0)] = 40,
) -> None:
    """Show messages, one per line."""
    wanted = Wanted(
        actor=actor,
        kind=None if kind is None else message_name(kind),
        asset=asset,
        from_ms=None if since is None else read_time("--since", since),
    )
    reader = _reader()
    if actor is not None:
        check_actor(reader, actor)
    if follow:
        for one in followed(reader, trace_directory(_where()), wanted, count):
            screen.print(line(one))
        return
    found = newest(reader, wanted, count)
    for one in found:
        screen.print(line(one))
    if not found:
        screen.print("no message matches", style="yellow")
    _say(reader.notes)


@command
def why(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Of an order, a refused entry, a trade, a close or a message."
        ),
    ],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Explain an order, a refusal, a trade, a message, or a close at which nothing happened."""
    reader = _reader()
    story = story_of(wanted, _facts(), reader)
    if json:
        print(as_json(story))
    else:
        screen.print(story_view(story))
        _say(reader.notes)


@command
def tree(wanted: Annotated[str, typer.Argument(metavar="TRACE")]) -> None:
    """Show everything that one message led to, with the time of each hop."""
    screen.print(trace_tree(_reader().read(), read_message_id(wanted)))


@command
def export(
    *,
    perfetto: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For the Perfetto viewer.")
    ] = None,
    otlp: Annotated[
        str | None, typer.Option(metavar="URL|FILE", help="OpenTelemetry spans, as OTLP JSON.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="ISO", help="From this time on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="ISO", help="Up to this time.")] = None,
) -> None:
    """Export the trace for other tools."""
    screen.print(write_trace(_reader, perfetto, otlp, since=since, until=until))


@command
def stats() -> None:
    """Show count, rate, waiting and working times of each actor's messages."""
    reader = _reader()
    screen.print(stats_table(reader.read()))
    _say(reader.notes)


@command
def slow(count: Annotated[int, typer.Option("-n", help="How many.")] = 10) -> None:
    """Show the slowest messages, and where their time went."""
    screen.print(slow_table(_reader().read(), count))


@command
def crashes() -> None:
    """Show every crash, with its id."""
    screen.print(crashes_table(crashes_in(_reader().read())))


@command
def crash(wanted: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Show a crash: its message, those before it, the state before it, and the recovery."""
    reader = _reader()
    found = find_crash(reader.read(), read_message_id(wanted))
    mine = reader.read(keys=[found.found.handling.receiver])
    screen.print(crash_view(found, state_at(found, mine)))


@command
def replay(
    actor: Annotated[str, typer.Argument(help="Address of the actor, like asset/BTC.")],
    *,
    until: Annotated[str | None, typer.Option(metavar="ID", help="The last message.")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="ID", help="Compare from this message on.")
    ] = None,
    with_pdb: Annotated[
        bool, typer.Option("--pdb", help="Debug before --until, or before its first crash.")
    ] = False,
) -> int:
    """Run an actor again on its recorded messages, and compare what it sends with the record."""
    reader = _reader()
    check_actor(reader, actor)
    _say(replay_notes(_where(), reader))
    code = replay_actor(
        reader.read(keys=[actor]),
        screen,
        from_id=None if from_ is None else read_message_id(from_),
        until_id=None if until is None else read_message_id(until),
        with_pdb=with_pdb,
    )
    _say(reader.notes)
    return code


@command
def diff(one: Path, other: Path) -> None:
    """Show the first decision that differs between two runs, with both causes."""
    sides = [(str(run), _facts(run), TraceReader(trace_directory(run))) for run in (one, other)]
    screen.print(differ(*sides))


def _where() -> Path:
    """Return the run that was named, or the newest one."""
    return _run.get("at") or newest_run(VAR)


def _reader() -> TraceReader:
    return reader_of(_where())


def _facts(run: Path | None = None) -> FactReader:
    return _held.enter_context(closing(facts_of(run or _where())))


def _say(notes: Iterable[str]) -> None:
    for note in notes:
        screen.print(f"note: {note}", style="yellow")


if __name__ == "__main__":
    start(app, "trace")
