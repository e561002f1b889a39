"""The command `bin/setup`: asks what a first run needs, writes it, and checks it."""

import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from bin import check
from bin.command import WRONG_USE, start
from domain.errors import ConfigError
from infra.operator.setup.files import write
from infra.operator.setup.questions import ask_all, nobody
from infra.operator.terminal.screen import Screen
from infra.settings import default_dotenv

INTERRUPTED = 130
_DOTENV = Path(__file__).resolve().parents[1] / ".env"


def main(
    *,
    settings: Annotated[Path, typer.Option(help="Settings file to write.")] = Path("my.yaml"),
    dotenv: Annotated[
        Path | None,
        typer.Option("--env", help="File of the secrets, .env by default; its other lines stay."),
    ] = None,
    checks: Annotated[
        bool, typer.Option("--check/--no-check", help="Run bin/check on it at the end.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace the settings file.")] = False,
) -> None:
    """Ask for mode, strategy, pairs, capital, keys and Telegram; write both files; check them.

    Enter takes the default in brackets. Nothing is written before the last answer.
    """
    screen, errors = Screen(highlight=False, soft_wrap=True), Screen(stderr=True, soft_wrap=True)
    try:
        _check_free(settings, is_replaced=force)
        answers = ask_all(_ask, screen.print)
        written = write(answers, settings, dotenv or default_dotenv() or _DOTENV)
    except ConfigError as error:
        errors.print(str(error), style="red", highlight=False)
        raise typer.Exit(WRONG_USE) from None
    except KeyboardInterrupt:
        errors.print("\nstopped; nothing was written", style="red", highlight=False)
        raise typer.Exit(INTERRUPTED) from None
    screen.print(f"Written: {', '.join(map(str, written))}")
    screen.print(f"Start it: bin/run-actors --mode {answers.mode} --settings {settings}")
    if not checks:
        return
    check.main(
        mode=answers.mode,
        settings=settings,
        send_test="TELEGRAM_BOT_TOKEN" in answers.secrets,
    )


def _check_free(settings: Path, *, is_replaced: bool) -> None:
    if settings.exists() and not is_replaced:
        raise ConfigError(f"{settings}: is there already; name another --settings, or --force")


def _ask(question: str, default: str, *, is_secret: bool = False) -> str:
    prompt = f"{question}{f' [{default}]' if default else ''}: "
    try:
        if is_secret and sys.stdin.isatty():
            return getpass(prompt) or default
        return input(prompt) or default
    except EOFError:
        raise nobody() from None


if __name__ == "__main__":
    start(main, "setup")
