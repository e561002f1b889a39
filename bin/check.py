"""The command `bin/check`: whether a run would start, and what prevents it."""

from pathlib import Path
from typing import Annotated

import typer
from loguru import logger

from bin.command import DONE, FAILED, VAR, SettingsFile, one_line, start
from infra.operator.preflight.checks import check
from infra.operator.preflight.explained import explained
from infra.operator.preflight.finding import Level
from infra.operator.preflight.text import finding_line
from infra.operator.terminal.screen import Screen
from infra.venues.modes import Mode, read_mode


def main(
    *,
    mode: Annotated[
        str, typer.Option(metavar="MODE", help=f"Mode to check: {', '.join(Mode)}.")
    ] = Mode.SIM.value,
    settings: SettingsFile = None,
    run_dir: Annotated[Path | None, typer.Option(help="Of the run; var/MODE by default.")] = None,
    send_test: Annotated[
        bool, typer.Option("--send-test", help="Send one message through each channel.")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="First show the effective settings of each pair and where they are set, and how "
            "settings under other names were read.",
        ),
    ] = False,
) -> None:
    """Check everything a run needs, one line per check. Nothing is changed anywhere."""
    logger.remove()
    screen, failed = Screen(highlight=False), []
    with one_line():
        chosen = read_mode(mode)
    directory = run_dir or VAR / chosen
    for line in explained(chosen, settings, directory) if explain else ():
        screen.print(line, soft_wrap=True, markup=False)
    for finding in check(chosen, settings, directory, sends_test=send_test):
        screen.print(finding_line(finding), soft_wrap=True)
        if finding.level is Level.FAIL and finding.name not in failed:
            failed.append(finding.name)
    if failed:
        screen.print(f"--mode {mode} should not start: {', '.join(failed)}", soft_wrap=True)
    raise typer.Exit(FAILED if failed else DONE)


if __name__ == "__main__":
    start(main, "check")
