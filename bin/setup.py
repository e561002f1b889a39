"""The command `bin/setup`: asks for what a first run needs, writes it, and checks it."""

from pathlib import Path
from typing import Annotated

import typer

from bin import check
from bin.command import one_line, say_error, start
from infra.operator.setup.files import check_free, write
from infra.operator.setup.questions import ask_all
from infra.operator.setup.typed import typed_answer
from infra.operator.terminal.screen import Screen
from infra.settings import default_dotenv

INTERRUPTED = 130
_DOTENV = Path(__file__).resolve().parents[1] / ".env"


def main(
    *,
    settings: Annotated[Path, typer.Option(help="Settings file to write.")] = Path("my.yaml"),
    dotenv: Annotated[
        Path | None,
        typer.Option("--env", help="File for secrets, default: .env; its other lines are kept."),
    ] = None,
    checks: Annotated[
        bool, typer.Option("--check/--no-check", help="Run bin/check at the end.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace the settings file.")] = False,
) -> None:
    """Ask for mode, strategy, pairs, capital, keys and Telegram, and write settings and .env.

    Enter accepts the default in brackets. Nothing is written before the last answer.
    """
    screen = Screen(highlight=False, soft_wrap=True)
    try:
        with one_line():
            check_free(settings, is_replaced=force)
            answers = ask_all(typed_answer, screen.print)
            written = write(answers, settings, dotenv or default_dotenv() or _DOTENV)
    except KeyboardInterrupt:
        say_error("\nstopped; nothing was written")
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


if __name__ == "__main__":
    start(main, "setup")
