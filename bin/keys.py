"""The command `bin/keys`: the keys under which a run directory is encrypted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from loguru import logger

from bin.command import WRONG_USE, start
from domain.errors import ConfigError
from infra.operator.terminal.screen import Screen
from infra.run.rekeying import rekey as rekeyed
from infra.secrets.sources import write_new_key
from infra.secrets.vault import FILE, vault_of
from infra.venues.modes import read_run_name

_VAR = Path(__file__).resolve().parents[1] / "var"
_SOURCES = "credential:NAME, file:/PATH, keyring:SERVICE/USER or passphrase"

app = typer.Typer(
    help="Keys under which a run directory is encrypted.",
    no_args_is_help=True,
    add_completion=False,
)
screen = Screen(soft_wrap=True)
_RunDir = Annotated[Path | None, typer.Option(help="Run directory; its mode's by default.")]
_Mode = Annotated[str, typer.Option(help="Whose run, where it is in var/MODE.")]


@app.callback()
def options() -> None:
    """Keys under which a run directory is encrypted."""
    logger.remove()


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        Screen(stderr=True).print(str(error), style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(WRONG_USE) from None


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="Where none is yet.")],
) -> None:
    """Make a key of 64 hexadecimal digits."""
    with _refusing():
        write_new_key(file)
    screen.print(f"{file}: keep a copy elsewhere; nothing opens without it", highlight=False)


@app.command()
def allow(
    source: Annotated[str, typer.Argument(help=_SOURCES)],
    *,
    run_dir: _RunDir = None,
    mode: _Mode = "live",
) -> None:
    """Let another key, or a passphrase, open a run directory too."""
    with _refusing():
        directory = run_dir or _VAR / read_run_name(mode)
        vault = vault_of(directory)
        if vault is None:
            raise ConfigError(f"{directory}: is not encrypted")
        vault.with_source(source).write()
    screen.print(f"{directory / FILE}: {source} opens it too", highlight=False)


@app.command()
def rekey(
    *,
    to: Annotated[list[str], typer.Option(help=f"{_SOURCES}; may be repeated; none: decrypt.")],
    run_dir: _RunDir = None,
    mode: _Mode = "live",
) -> None:
    """Encrypt all of a run directory anew, while no run uses it; also one that is not encrypted."""
    with _refusing():
        directory = run_dir or _VAR / read_run_name(mode)
        logs = rekeyed(directory, [] if to == ["none"] else to)
    for log in logs:
        screen.print(f"{log}: is not encrypted; delete it", style="yellow", highlight=False)
    told = "decrypted" if to == ["none"] else f"encrypted under {', '.join(to)}"
    screen.print(f"{directory}: {told}", highlight=False)


if __name__ == "__main__":
    start(app, "keys")
