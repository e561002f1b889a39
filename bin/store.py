"""The command `bin/store`: moves a journal from one database to another."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from loguru import logger
from rich.table import Table

from bin.command import start
from domain.errors import ConfigError, JournalError
from infra.operator.terminal.screen import Screen
from infra.process.locks import RUN_LOCK, FileLock
from infra.store.copying import TableSum, copy_journal, demand_empty
from infra.store.engine import Engine
from infra.store.location import Location, read_location
from infra.store.opening import open_engine
from infra.store.reserve import count_waiting

_FAILED, _WRONG_USE = 1, 2
_PATIENCE_MS = 5_000

app = typer.Typer(
    help="Move a journal between a file of SQLite and PostgreSQL.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def options() -> None:
    """Move a journal between a file of SQLite and PostgreSQL."""
    logger.remove()


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="A journal.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Where none is yet.")],
) -> None:
    """Copy a journal that nobody writes, and compare both, row by row.

    FROM and TO are a file, like var/live/journal.sqlite, or postgresql://USER@HOST/NAME#SCHEMA with
    the schema trading_MODE; POSTGRES_PASSWORD is the password.
    """
    try:
        found = _copied(read_location(source, os.environ), read_location(target, os.environ))
    except (ConfigError, JournalError) as error:
        screen = Screen(stderr=True)
        screen.print(str(error), style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(_WRONG_USE if isinstance(error, ConfigError) else _FAILED) from None
    Screen().print(_table(found))


def _copied(source: Location, target: Location) -> list[TableSum]:
    with ExitStack() as held:
        _hold([source, target], held)
        if isinstance(source, Path) and not source.is_file():
            raise ConfigError(f"{source}: no journal there")
        if isinstance(target, Path) and target.exists():
            raise ConfigError(f"{target}: is there already; copy to where nothing is")
        _open(source, held)
        engine = _open(target, held)
        demand_empty(target)
        return copy_journal(source, engine)


def _open(location: Location, held: ExitStack) -> Engine:
    """Open a database of the newest version, to which nobody else writes."""
    engine = open_engine(location, busy_timeout_ms=_PATIENCE_MS)
    held.callback(engine.release)
    try:
        engine.connect()
        held.callback(engine.close)
        engine.migrate()
    except engine.refusals as error:
        raise engine.refusal(error) from error
    return engine


def _hold(locations: list[Location], held: ExitStack) -> None:
    """Let no run use the directory of a file meanwhile; a server keeps others away by itself."""
    files = [location for location in locations if isinstance(location, Path)]
    for folder in {file.parent.resolve() for file in files}:
        lock = FileLock(folder / RUN_LOCK, f"{folder}: a run uses this directory")
        held.callback(lock.release)
    for file in files:
        waiting = count_waiting(file.with_suffix(".reserve"))
        if waiting:
            raise ConfigError(
                f"{file}: {waiting} records wait in the reserve to be stored in it; start the run "
                "once more, with room on the disk"
            )


def _table(found: list[TableSum]) -> Table:
    table = Table("table", "rows", "SHA-256 of all rows, the same on both sides", box=None)
    for each in found:
        table.add_row(each.table, f"{each.rows}", each.digest[:32])
    return table


if __name__ == "__main__":
    start(app, "store")
