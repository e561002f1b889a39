"""The command `bin/backup`: backups of a run's journal, and the way back."""

from pathlib import Path
from typing import Annotated

import typer
from loguru import logger

from bin.command import DONE, FAILED, VAR, WRONG_USE, one_line, start
from domain.errors import ConfigError, JournalError
from infra.operator.terminal.backups import listed_table, made_lines, restored_text, verified_lines
from infra.operator.terminal.options_anywhere import OptionsAnywhere
from infra.operator.terminal.screen import Screen
from infra.run.backups import Backups, read_until

_CODES: dict[type[Exception], int] = {ConfigError: WRONG_USE, JournalError: FAILED}
_run: dict[str, Backups] = {}

app = typer.Typer(
    cls=OptionsAnywhere,
    help="Back the journal of a run up, and restore it.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def choose(
    *,
    mode: Annotated[str, typer.Option(help="Whose journal.")] = "sim",
    run_dir: Annotated[Path | None, typer.Option(help="Of the run; var/MODE.")] = None,
    settings: Annotated[Path | None, typer.Option(help="What differs from settings.yaml.")] = None,
) -> None:
    """Back the journal of a run up, and restore it."""
    logger.remove()
    _run["of"] = Backups(settings, mode, run_dir, VAR)


@app.command()
def run() -> None:
    """Back a whole journal up now, also of a run that goes on."""
    with one_line(_CODES):
        Screen().print(made_lines(*_run["of"].run()), highlight=False, soft_wrap=True)


@app.command("list")
def list_() -> None:
    """Show all backups, oldest first."""
    with one_line(_CODES):
        Screen().print(listed_table(_run["of"].listed()))


@app.command()
def verify() -> None:
    """Check every segment of every backup; exit code 1 where one is not whole."""
    code = DONE
    with one_line(_CODES):
        for name, wrong in _run["of"].verify():
            Screen().print(verified_lines(name, wrong), highlight=False, soft_wrap=True)
            code = FAILED if wrong else code
    raise typer.Exit(code)


@app.command()
def restore(
    *,
    to: Annotated[str | None, typer.Option(metavar="TIME|FACT", help="No later facts.")] = None,
    to_dir: Annotated[Path | None, typer.Option(help="Instead of --run-dir.")] = None,
    backup: Annotated[str | None, typer.Option(metavar="NAME", help="Not the newest.")] = None,
) -> None:
    """Make a journal where none is; a run opens nothing with it until rearm."""
    with one_line(_CODES):
        done = _run["of"].restore(to_dir, read_until(to), backup)
        Screen().print(restored_text(done), highlight=False, soft_wrap=True)


if __name__ == "__main__":
    start(app, "backup")
