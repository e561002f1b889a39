"""The command `bin/backup`: backups of a run's journal, and their restoration."""

from pathlib import Path
from typing import Annotated

import typer
from loguru import logger

from bin.command import DONE, FAILED, VAR, WRONG_USE, SettingsFile, one_line, start
from domain.errors import ConfigError, JournalError
from infra.operator.terminal.backups import listed_table, made_lines, restored_text, verified_lines
from infra.operator.terminal.options_anywhere import OptionsAnywhere
from infra.operator.terminal.screen import Screen
from infra.run.backups import Backups, read_until

_CODES: dict[type[Exception], int] = {ConfigError: WRONG_USE, JournalError: FAILED}
_run: dict[str, Backups] = {}

app = typer.Typer(
    cls=OptionsAnywhere,
    help="Back up the journal of a run, and restore it.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def choose(
    *,
    mode: Annotated[str, typer.Option(help="Mode of the run.")] = "sim",
    run_dir: Annotated[Path | None, typer.Option(help="Of the run; default: var/MODE.")] = None,
    settings: SettingsFile = None,
) -> None:
    """Back up the journal of a run, and restore it."""
    logger.remove()
    _run["of"] = Backups(settings, mode, run_dir, VAR)


@app.command()
def run() -> None:
    """Make a full backup of the journal now, also while a run is going on."""
    with one_line(_CODES):
        Screen().print(made_lines(*_run["of"].run()), highlight=False, soft_wrap=True)


@app.command("list")
def list_() -> None:
    """List all backups, oldest first."""
    with one_line(_CODES):
        Screen().print(listed_table(_run["of"].listed()))


@app.command()
def verify() -> None:
    """Check every segment of every backup; exit code 1 if one is damaged or missing."""
    code = DONE
    with one_line(_CODES):
        for name, wrong in _run["of"].verify():
            Screen().print(verified_lines(name, wrong), highlight=False, soft_wrap=True)
            code = FAILED if wrong else code
    raise typer.Exit(code)


@app.command()
def restore(
    *,
    to: Annotated[str | None, typer.Option(metavar="TIME|FACT", help="Up to here.")] = None,
    to_dir: Annotated[Path | None, typer.Option(help="Instead of --run-dir.")] = None,
    backup: Annotated[str | None, typer.Option(metavar="NAME", help="Default: the newest.")] = None,
) -> None:
    """Restore a journal into a place without one; a run then opens nothing until rearm."""
    with one_line(_CODES):
        done = _run["of"].restore(to_dir, read_until(to), backup)
        Screen().print(restored_text(done), highlight=False, soft_wrap=True)


if __name__ == "__main__":
    start(app, "backup")
