"""The command `bin/store`: moves a journal from one database to another."""

import os
from typing import Annotated

import typer
from loguru import logger

from bin.command import FAILED, WRONG_USE, one_line, start
from domain.errors import ConfigError, JournalError
from infra.operator.terminal.copied import copied_table
from infra.operator.terminal.screen import Screen
from infra.run.copying import copied
from infra.store.location import read_location

app = typer.Typer(
    help="Move a journal between SQLite and PostgreSQL.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def options() -> None:
    """Move a journal between SQLite and PostgreSQL."""
    logger.remove()


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Existing journal.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="New journal.")],
) -> None:
    """Copy a journal that is not in use, and compare both row by row.

    FROM and TO are a file, like var/live/journal.sqlite, or postgresql://USER@HOST/NAME#SCHEMA with
    the schema trading_MODE; POSTGRES_PASSWORD is the password.
    """
    with one_line({ConfigError: WRONG_USE, JournalError: FAILED}):
        found = copied(read_location(source, os.environ), read_location(target, os.environ))
    Screen().print(copied_table(found))


if __name__ == "__main__":
    start(app, "store")
