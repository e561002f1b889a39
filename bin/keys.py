"""The command `bin/keys`: the keys under which a run directory is encrypted."""

from pathlib import Path
from typing import Annotated

import typer
from loguru import logger

from bin.command import VAR, one_line, start
from infra.operator.terminal.screen import Screen
from infra.run import rekeying
from infra.secrets.sources import write_new_key
from infra.venues.modes import read_run_name

_SOURCES = "credential:NAME, file:/PATH, keyring:SERVICE/USER or passphrase"
_RunDir = Annotated[Path | None, typer.Option(help="Run directory; its mode's by default.")]
_Mode = Annotated[str, typer.Option(help="Whose run, where it is in var/MODE.")]

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def options() -> None:
    """Keys under which a run directory is encrypted."""
    logger.remove()


@app.command()
def new(file: Annotated[Path, typer.Argument(help="Where none is yet.")]) -> None:
    """Make a key of 64 hexadecimal digits."""
    with one_line():
        write_new_key(file)
        _say(f"{file}: keep a copy elsewhere; nothing opens without it")


@app.command()
def allow(
    source: Annotated[str, typer.Argument(help=_SOURCES)],
    *,
    run_dir: _RunDir = None,
    mode: _Mode = "live",
) -> None:
    """Let another key, or a passphrase, open a run directory too."""
    with one_line():
        directory = run_dir or VAR / read_run_name(mode)
        rekeying.allow(directory, source)
        _say(f"{directory}: {source} opens it too")


@app.command()
def rekey(
    *,
    to: Annotated[list[str], typer.Option(help=f"{_SOURCES}; may be repeated; none: decrypt.")],
    run_dir: _RunDir = None,
    mode: _Mode = "live",
) -> None:
    """Encrypt all of a run directory anew, while no run uses it; also one that is not encrypted."""
    with one_line():
        directory = run_dir or VAR / read_run_name(mode)
        logs = rekeying.rekey(directory, [] if to == ["none"] else to)
        told = (f"{log}: is not encrypted; delete it" for log in logs)
        _say(*told, f"{directory}: opens by {', '.join(to)} from now on")


def _say(*lines: str) -> None:
    for line in lines:
        Screen().print(line, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    start(app, "keys")
