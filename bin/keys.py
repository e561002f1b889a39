"""Manage exchange keys, and the keys that encrypt a run directory."""

from pathlib import Path
from typing import Annotated

import typer

from bin.command import VAR, one_line, start
from infra.operator.terminal.credentials import ACTIONS, credentials_act
from infra.operator.terminal.screen import Screen
from infra.run import rekeying
from infra.secrets.sources import write_new_key
from infra.venues.modes import read_run_name

_SOURCES = "credential:NAME, file:/PATH, keyring:SERVICE/USER or passphrase"
_Source = Annotated[str, typer.Argument(help=_SOURCES)]
_RunDir = Annotated[Path | None, typer.Option(help="Run directory; default: that of the mode.")]
_Mode = Annotated[str, typer.Option(help="Mode of the run, if it is in var/MODE.")]

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@app.command()
def new(file: Annotated[Path, typer.Argument(help="New file.")]) -> None:
    """Create a key file with 64 hexadecimal digits."""
    with one_line():
        write_new_key(file)
        _say(f"{file}: keep a copy elsewhere; without it nothing can be decrypted")


@app.command()
def allow(source: _Source, *, run_dir: _RunDir = None, mode: _Mode = "live") -> None:
    """Allow another key, or a passphrase, to open a run directory."""
    with one_line():
        directory = run_dir or VAR / read_run_name(mode)
        rekeying.allow(directory, source)
        _say(f"{directory}: {source} opens it too")


@app.command()
def rekey(
    *,
    to: Annotated[list[str], typer.Option(help=f"{_SOURCES}; repeatable; none: decrypt.")],
    run_dir: _RunDir = None,
    mode: _Mode = "live",
) -> None:
    """Re-encrypt a run directory, or encrypt an unencrypted one, while no run uses it."""
    with one_line():
        directory = run_dir or VAR / read_run_name(mode)
        logs = rekeying.rekey(directory, [] if to == ["none"] else to)
        _say(*(f"{log}: is not encrypted; delete it" for log in logs))
        _say(f"{directory}: opens by {', '.join(to)} from now on")


def _register(action: str) -> None:
    def act(
        mode: Annotated[str | None, typer.Argument(metavar="live|testnet|demo")] = None,
        *,
        store: Annotated[Path, typer.Option(help="Folder of the keystore (exchange.keystore).")],
        ip: Annotated[list[str] | None, typer.Option(help="Address it must allow.")] = None,
        source: Annotated[str | None, typer.Option(help="Key of a new keystore.")] = None,
        asset: Annotated[str | None, typer.Option(help="Only for this asset, like BTC.")] = None,
    ) -> None:
        with one_line():
            _say(*credentials_act(action, store, mode, ip or [], source, asset, _say))

    app.command(action, help=ACTIONS[action])(act)


for _action in ACTIONS:
    _register(_action)


def _say(*lines: str) -> None:
    for line in lines:
        Screen().print(line, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    start(app, "keys")
