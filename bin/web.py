"""The command `bin/web`: the web page, for current and past runs."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from bin.command import MISUSED, VAR, WRONG_USE, SettingsFile, one_line, start
from domain.errors import ConfigError
from infra.operator.terminal.screen import Screen
from infra.operator.web import links
from infra.operator.web.files import read_address
from infra.operator.web.serve import PageOptions, serve
from infra.operator.web.users import LEAST_LETTERS, Role, set_password
from infra.settings import load_settings

app = typer.Typer(add_completion=False)
_ERRORS = {**MISUSED, OSError: WRONG_USE}
_Directory = Annotated[Path | None, typer.Option("--run-dir", help="Of the run; default: var/sim.")]


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    *,
    run_dir: Annotated[
        list[Path] | None,
        typer.Option(help="Of a run; repeatable, the first stores the logins. Default: var/sim."),
    ] = None,
    settings: SettingsFile = None,
    port: Annotated[int | None, typer.Option(help="Overrides web.port.")] = None,
    of: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Show current and past runs in a browser."""
    if context.invoked_subcommand is not None:
        return
    directories = run_dir or [VAR / "sim"]
    with one_line(_ERRORS):
        for directory in directories:
            if not directory.is_dir():
                raise ConfigError(f"{directory}: no such run directory; name it with --run-dir")
        # Not from the environment or .env, which hold keys.
        found = load_settings(settings, environ={}, dotenv=None).web
        if port is not None:
            found = found.model_copy(update={"port": port})
        options = PageOptions(directories=directories, settings=found, parent=of)
        serve(options, lambda url: None if of else _say(*_announced(directories[0], url)))


@app.command()
def password(
    *,
    run_dir: _Directory = None,
    user: Annotated[str, typer.Option(help="Letters, digits, ._@-")] = "admin",
    role: Annotated[Role, typer.Option(help="viewer: read-only; operator: may give commands.")] = (
        Role.OPERATOR
    ),
) -> None:
    """Set the password of a user; typed, or read from a pipe."""
    with one_line(_ERRORS):
        if sys.stdin.isatty():
            text = f"Password of {user} ({LEAST_LETTERS} characters or more)"
            given = typer.prompt(text, hide_input=True, confirmation_prompt=True)
        else:
            given = sys.stdin.readline().rstrip("\n")
        set_password(run_dir or VAR / "sim", user, role, given)
        Screen().print(f"{user} may log in as {role}.", highlight=False)


@app.command()
def link(*, run_dir: _Directory = None) -> None:
    """Print a login link that works once; older links stop working."""
    with one_line(_ERRORS):
        directory = run_dir or VAR / "sim"
        address = read_address(directory)
        if address is None:
            raise ConfigError(f"{directory}: no page was started there")
        _say(links.new_link(directory, address.url))


def _announced(directory: Path, url: str) -> Iterator[str]:
    return links.announced(directory, url, is_terminal=sys.stdout.isatty())


def _say(*lines: str) -> None:
    for line in lines:
        Screen().print(line, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    start(app, "web")
