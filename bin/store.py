"""The command `bin/store`: moves a journal from one database to another."""

import os
from typing import Annotated

import typer
from loguru import logger
from rich.table import Table

from bin.command import start
from domain.errors import ConfigError, JournalError
from infra.operator.terminal.screen import Screen
from infra.run.copying import copied
from infra.store.copying import TableSum
from infra.store.location import read_location

_FAILED, _WRONG_USE = 1, 2

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
        found = copied(read_location(source, os.environ), read_location(target, os.environ))
    except (ConfigError, JournalError) as error:
        screen = Screen(stderr=True)
        screen.print(str(error), style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(_WRONG_USE if isinstance(error, ConfigError) else _FAILED) from None
    Screen().print(_table(found))


def _table(found: list[TableSum]) -> Table:
    table = Table("table", "rows", "SHA-256 of all rows, the same on both sides", box=None)
    for each in found:
        table.add_row(each.table, f"{each.rows}", each.digest[:32])
    return table


if __name__ == "__main__":
    start(app, "store")
