"""The command `bin/check`: whether a run would start, and what stands in its way."""

import os
from pathlib import Path
from typing import Annotated

import typer
from loguru import logger

from bin.command import start
from domain.errors import ConfigError, JournalError
from infra.operator.preflight.checks import check
from infra.operator.preflight.finding import Level
from infra.operator.preflight.text import finding_line
from infra.operator.terminal.screen import Screen
from infra.settings import SettingsSource, default_dotenv
from infra.settings.explanation import explain as explained
from infra.store.location import journal_location
from infra.store.pairs import stored_changes
from infra.venues.modes import Mode, read_mode

PASSED, FAILED, WRONG_USE = range(3)
_VAR = Path(__file__).resolve().parents[1] / "var"


def main(
    *,
    mode: Annotated[
        str, typer.Option(metavar="MODE", help=f"That is to run: {', '.join(Mode)}.")
    ] = Mode.SIM.value,
    settings: Annotated[Path | None, typer.Option(help="What differs from settings.yaml.")] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Of the run; var/MODE by default.")] = None,
    send_test: Annotated[
        bool, typer.Option("--send-test", help="Send one message by each channel.")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="First show what holds for each pair and where it is written, and under which "
            "names settings were read that the file calls otherwise.",
        ),
    ] = False,
) -> None:
    """Check what a run needs, a line each. Nothing is changed, here or at the exchange."""
    logger.remove()
    screen, failed = Screen(highlight=False), []
    try:
        chosen = read_mode(mode)
    except ConfigError as error:
        Screen(stderr=True).print(str(error), style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(WRONG_USE) from None
    if explain:
        _explain(chosen, settings, run_dir or _VAR / chosen, screen)
    for finding in check(chosen, settings, run_dir or _VAR / chosen, sends_test=send_test):
        screen.print(finding_line(finding), soft_wrap=True)
        if finding.level is Level.FAIL and finding.name not in failed:
            failed.append(finding.name)
    if failed:
        screen.print(f"--mode {mode} should not start: {', '.join(failed)}", soft_wrap=True)
    raise typer.Exit(FAILED if failed else PASSED)


def _explain(mode: Mode, settings_file: Path | None, directory: Path, screen: Screen) -> None:
    try:
        source = SettingsSource(settings_file, environ=os.environ, dotenv=default_dotenv())
        pairs = stored_changes(journal_location(directory, source.settings().database, mode))
        source.settings(pairs=pairs)
    except (ConfigError, JournalError):  # the check tells it
        return
    for line in explained(source, pairs):
        screen.print(line, soft_wrap=True, markup=False)


if __name__ == "__main__":
    start(main, "check")
