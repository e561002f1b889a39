"""The command `bin/check`: whether a run would start, and what stands in its way."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from loguru import logger
from rich.text import Text

from bin.command import start
from domain.errors import AccessDeniedError, BadDataError, ConfigError, UnavailableError
from infra.operator.preflight.account import check_account, check_balance, check_private_stream
from infra.operator.preflight.finding import Finding, Level, fail, ok, warn
from infra.operator.preflight.machine import check_machine
from infra.operator.preflight.market import check_assets, check_network, check_public_stream
from infra.operator.preflight.notices import send_tests
from infra.operator.terminal.screen import Screen
from infra.settings import Settings, SettingsSource, default_dotenv, load_settings
from infra.settings.explanation import explain as explained
from infra.venues.bybit.connection import account_reader
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.venues import Venue
from infra.venues.modes import LIVE_TRADING, YES, Mode, read_mode, venue_of
from infra.venues.paper.account import paper_balance

PASSED, FAILED, WRONG_USE = range(3)
_VAR = Path(__file__).resolve().parents[1] / "var"
_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


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
        _explain(settings, screen)
    for finding in check(chosen, settings, run_dir or _VAR / chosen, sends_test=send_test):
        screen.print(_line(finding), soft_wrap=True)
        if finding.level is Level.FAIL and finding.name not in failed:
            failed.append(finding.name)
    if failed:
        screen.print(f"--mode {mode} should not start: {', '.join(failed)}", soft_wrap=True)
    raise typer.Exit(FAILED if failed else PASSED)


def _explain(settings_file: Path | None, screen: Screen) -> None:
    try:
        source = SettingsSource(settings_file, environ=os.environ, dotenv=default_dotenv())
        source.settings()
    except ConfigError:  # the check tells it
        return
    for line in explained(source):
        screen.print(line, soft_wrap=True, markup=False)


def check(
    mode: Mode, settings_file: Path | None, directory: Path, *, sends_test: bool
) -> Iterator[Finding]:
    """Yield all findings; what cannot be looked at without another is left out."""
    dotenv = default_dotenv()
    try:
        settings = load_settings(settings_file, environ=os.environ, dotenv=dotenv)
    except ConfigError as error:
        yield from _each("settings", error, "correct it")
        return
    assets = ", ".join(asset.asset for asset in settings.trading_rules().assets)
    yield ok("settings", f"{assets}; {settings_file or 'settings.yaml alone'}")
    yield from check_machine(settings, mode, directory, dotenv)
    if sends_test:
        yield from send_tests(settings.notifications, mode)
    if not mode.has_market:
        yield ok("exchange", "none is needed")
        return
    yield from _live_word(mode)
    try:
        venue = venue_of(mode, settings, os.environ | {LIVE_TRADING: YES})
    except ConfigError as error:
        yield from _each("mode", error, "see .env.example")
        return
    with closing(account_reader(venue)) as rest:
        look = partial(_at_the_venue, mode, venue, rest, settings, directory)
        yield from _guarded("exchange", look)


def _at_the_venue(
    mode: Mode, venue: Venue, rest: BybitRest, settings: Settings, directory: Path
) -> Iterator[Finding]:
    rules = settings.trading_rules()
    yield from check_network(rest, venue)
    yield check_public_stream(venue, rules)
    balance: list[Decimal] = []
    if mode.has_account:
        yield from _guarded("account", partial(_of_the_account, rest, venue, settings, balance))
    else:
        balance.append(paper_balance(rules, directory / "paper.state"))
        yield ok("balance", f"{balance[0]:,.2f} USDT on paper")
    yield from check_assets(rest, rules, balance[0] if balance else None)


def _of_the_account(
    rest: BybitRest, venue: Venue, settings: Settings, balance: list[Decimal]
) -> Iterator[Finding]:
    yield from check_account(rest, settings.trading_rules())
    finding, found = check_balance(rest)
    balance.append(found)
    yield finding
    yield check_private_stream(venue, rest)


def _each(name: str, error: ConfigError, advice: str) -> Iterator[Finding]:
    """Yield a finding for each line below the heading."""
    lines = str(error).splitlines()
    for line in lines[1:] or lines:
        yield fail(name, line.removeprefix("- "), "", advice)


def _guarded(name: str, checks: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from checks()
    except AccessDeniedError as error:
        yield fail(name, str(error), "a key that is taken", "check the key and its --mode")
    except (UnavailableError, BadDataError, ConfigError) as error:
        yield fail(name, str(error), "an answer", "check the network and the addresses")


def _live_word(mode: Mode) -> Iterator[Finding]:
    if mode is not Mode.LIVE:
        return
    if os.environ.get(LIVE_TRADING) == YES:
        yield ok(LIVE_TRADING, YES, YES)
    else:
        advice = "set it where the run is started, once all else is right"
        yield warn(LIVE_TRADING, os.environ.get(LIVE_TRADING) or "not set", YES, advice)


def _line(finding: Finding) -> Text:
    parts = [finding.found]
    if finding.expected and finding.found != finding.expected:
        parts.append(f"expected {finding.expected}")
    if finding.advice:
        parts.append(finding.advice)
    line = Text(f"{finding.level:<5}", style=_STYLES[finding.level])
    return line.append(f"{finding.name:<24} {'; '.join(parts)}", style="default")


if __name__ == "__main__":
    start(main, "check")
