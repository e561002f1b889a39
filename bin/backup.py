"""The command `bin/backup`: backups of a run's journal, and the way back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from loguru import logger
from rich.table import Table

from bin.command import start
from domain.errors import ConfigError, JournalError
from infra.operator.terminal.screen import Screen
from infra.process.times import read_time, show_time
from infra.run.backups import Backups
from infra.settings import Settings, SettingsSource, default_dotenv
from infra.store.backup.restore import Until
from infra.store.location import find_journal, journal_location
from infra.venues.modes import read_run_name

_FAILED, _WRONG_USE = 1, 2
_VAR = Path(__file__).resolve().parents[1] / "var"
_Mode = Annotated[str, typer.Option(help="Whose journal.")]
_Settings = Annotated[Path | None, typer.Option(help="What differs from settings.yaml.")]

app = typer.Typer(
    help="Back the journal of a run up, and restore it.", no_args_is_help=True, add_completion=False
)


@app.callback()
def options() -> None:
    """Back the journal of a run up, and restore it."""
    logger.remove()


@app.command()
def run(
    *,
    mode: _Mode = "sim",
    settings: _Settings = None,
    run_dir: Annotated[Path | None, typer.Option(help="Of the run; var/MODE.")] = None,
) -> None:
    """Back a whole journal up now, also of a run that goes on."""
    with _told():
        name = read_run_name(mode)
        journal = find_journal(run_dir or _VAR / name)
        made, removed = Backups(_read(settings).backup, name).run(journal)
        Screen().print(f"{made.chain}: {made.fact} facts in {made.number} segments", soft_wrap=True)
        for old in removed:
            Screen().print(f"{old}: removed, it was too old", soft_wrap=True)


@app.command("list")
def list_(*, mode: _Mode = "sim", settings: _Settings = None) -> None:
    """Show all backups, oldest first."""
    with _told():
        table = Table("backup", "segments", "through fact", "stored, UTC", box=None)
        for each in Backups(_read(settings).backup, read_run_name(mode)).listed():
            end = each.end
            stored = "" if end is None else show_time(end.recorded_ms)
            through = "unfinished" if end is None else f"{end.through_fact}"
            table.add_row(each.name, f"{each.segments}", through, stored)
        Screen().print(table)


@app.command()
def verify(*, mode: _Mode = "sim", settings: _Settings = None) -> None:
    """Check every segment of every backup; exit code 1 where one is not whole."""
    is_wrong = False
    with _told():
        for name, wrong in Backups(_read(settings).backup, read_run_name(mode)).verify():
            for line in wrong or [f"{name}: whole"]:
                Screen().print(line, highlight=False, soft_wrap=True)
            is_wrong |= bool(wrong)
    raise typer.Exit(_FAILED if is_wrong else 0)


@app.command()
def restore(
    *,
    mode: _Mode = "sim",
    settings: _Settings = None,
    to: Annotated[str | None, typer.Option(metavar="TIME|FACT", help="No later facts.")] = None,
    to_dir: Annotated[Path | None, typer.Option(help="Run directory; var/MODE.")] = None,
    backup: Annotated[str | None, typer.Option(metavar="NAME", help="Not the newest.")] = None,
) -> None:
    """Make a journal where none is; a run opens nothing with it until rearm."""
    with _told():
        name, found = read_run_name(mode), _read(settings)
        directory = to_dir or _VAR / name
        target = journal_location(directory, found.database, name)
        done = Backups(found.backup, name).restore(directory, target, _until(to), backup)
        Screen().print(
            f"{target}: restored through fact {done.through_fact}, stored "
            f"{show_time(done.recorded_ms)} UTC. Start the run, make sure that the old system is "
            "dead, then send rearm: until then nothing is opened.",
            highlight=False,
            soft_wrap=True,
        )


def _until(text: str | None) -> Until:
    if text is None or not text.isdigit():
        return Until(time_ms=None if text is None else read_time("--to", text))
    return Until(fact=int(text))


def _read(file: Path | None) -> Settings:
    return SettingsSource(file, environ=os.environ, dotenv=default_dotenv()).settings()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (ConfigError, JournalError) as error:
        screen = Screen(stderr=True)
        screen.print(str(error), style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(_WRONG_USE if isinstance(error, ConfigError) else _FAILED) from None


if __name__ == "__main__":
    start(app, "backup")
