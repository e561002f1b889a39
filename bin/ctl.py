"""The command `bin/ctl`: commands to a running system, and its audit trail."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bin.command import VAR, start
from domain.errors import ConfigError
from domain.operator.commands import MANUALS, Command, CommandName, UnknownCommandError, parse
from domain.operator.replies import ReplyCode
from infra.operator.control.client import LateAnswerError, NoAnswerError, NotRunningError
from infra.operator.control.everywhere import NOTHING_RUNS, SERVICES, ask_everywhere
from infra.operator.control.sending import send
from infra.operator.report.exports import export as export_trades
from infra.operator.terminal.command_functions import function_of
from infra.operator.terminal.options_anywhere import OptionsAnywhere
from infra.operator.terminal.replies import audit_line, show_answers, show_reply
from infra.operator.terminal.screen import Screen
from infra.process.times import read_time
from infra.process.user import user_name
from infra.store.audit import read_audit
from infra.store.location import find_journal, journal_exists
from infra.venues.modes import read_run_name

DONE, REFUSED, WRONG_USE, NOT_RUNNING, UNCONFIRMED, LATE = range(6)
_EXIT: dict[str, int] = {
    ReplyCode.DONE: DONE,
    ReplyCode.REFUSED: REFUSED,
    ReplyCode.WRONG: WRONG_USE,
    ReplyCode.CONFIRM: UNCONFIRMED,
    ReplyCode.LATE: LATE,
    NOTHING_RUNS: NOT_RUNNING,
}
_OF_FACTS = (CommandName.PORTFOLIO, CommandName.PERFORMANCE)
"""Commands that are answered from the journal if the run has ended."""

app = typer.Typer(
    cls=OptionsAnywhere,
    no_args_is_help=True,
    add_completion=False,
    help="Send commands to a running system, and show its audit trail.",
    epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 nothing runs there, "
    "4 to be confirmed (--yes), 5 no answer in time.",
)
screen, errors = Screen(), Screen(stderr=True)


@dataclass(slots=True)
class _Options:
    directory: Path = VAR / "sim"
    is_json: bool = False
    places: tuple[Path, ...] = ()
    """Directories of all systems to ask; empty: ask one system."""


_options = _Options()


@app.callback()
def choose(
    context: typer.Context,
    *,
    run_dir: Annotated[Path | None, typer.Option(help="Run directory of the system.")] = None,
    mode: Annotated[str, typer.Option(help="Mode of the system, if it runs in var/MODE.")] = "sim",
    every: Annotated[
        bool, typer.Option("--all", help="Ask all systems on this machine, or below --run-dir.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send commands to a running system."""
    _options.is_json = as_json
    if every and context.invoked_subcommand in ("audit", "export"):
        raise _failed(f"--all does not go with {context.invoked_subcommand}", WRONG_USE)
    _options.places = ((VAR, SERVICES) if run_dir is None else (run_dir,)) if every else ()
    try:
        _options.directory = run_dir or VAR / read_run_name(mode)
    except ConfigError as error:
        raise _failed(str(error), WRONG_USE) from None


@app.command()
def audit(
    *,
    since: Annotated[str | None, typer.Option(metavar="ISO", help="From this time on.")] = None,
    asset: Annotated[str | None, typer.Option(help="Only this asset.")] = None,
    last: Annotated[int, typer.Option(help="At most this many, the newest.", min=1)] = 200,
) -> None:
    """Show every decision, order, protection, command and access in one timeline."""
    try:
        from_ms = 0 if since is None else read_time("--since", since)
        found = read_audit(find_journal(_options.directory), from_ms, asset)[-last:]
    except ConfigError as error:
        raise _failed(str(error), WRONG_USE) from None
    if _options.is_json:
        print(json.dumps([entry.as_dict() for entry in found], indent=1))
        return
    for entry in found:
        screen.print(audit_line(entry), highlight=False, soft_wrap=True)


@app.command()
def export(
    what: Annotated[str, typer.Argument(metavar="trades", help="What to export.")],
    *,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV to stdout.")] = False,
    parquet: Annotated[Path | None, typer.Option(metavar="FILE", help="As parquet.")] = None,
    from_time: Annotated[
        str | None, typer.Option("--from", metavar="ISO", help="Closed at this time or later.")
    ] = None,
    to_time: Annotated[
        str | None, typer.Option("--to", metavar="ISO", help="Closed before this time.")
    ] = None,
    layout: Annotated[
        str, typer.Option(metavar="plain|tax", help="All columns, or the format of tax tools.")
    ] = "plain",
) -> None:
    """Export the trades of a run; it need not be running."""
    try:
        export_trades(
            what,
            find_journal(_options.directory),
            as_csv=as_csv,
            parquet=parquet,
            layout=layout,
            from_time=from_time,
            to_time=to_time,
        )
    except ConfigError as error:
        raise _failed(str(error), WRONG_USE) from None


def _send(name: CommandName, argument: str, *, is_confirmed: bool) -> None:
    who = f"ctl-{user_name()}"
    try:
        asked = parse(f"{name} {argument}")
    except UnknownCommandError as error:
        raise _failed(str(error), WRONG_USE) from None
    if _options.places:
        raise _all_told(asked, who)
    try:
        answer = send(_options.directory, asked, who, is_confirmed=is_confirmed)
    except ConfigError as error:
        raise _failed(str(error), WRONG_USE) from None
    except NotRunningError as error:
        if asked.name in _OF_FACTS and journal_exists(_options.directory):
            raise _answer_of_ended(asked.name, asked.argument) from None
        if asked.name is CommandName.HELP:
            app([*asked.argument.split(), "--help"], prog_name="bin/ctl")
        raise _failed(str(error), NOT_RUNNING) from None
    except NoAnswerError as error:
        raise _failed(str(error), LATE if isinstance(error, LateAnswerError) else REFUSED) from None
    raise _told(answer)


for _name in CommandName:
    _does = MANUALS[_name].does
    app.command(_name.value, help=f"{_does[0].upper()}{_does[1:]}.")(function_of(_name, _send))


def _all_told(asked: Command, who: str) -> typer.Exit:
    try:
        answers = ask_everywhere(_options.places, asked, who)
    except (UnknownCommandError, ConfigError) as error:
        return _failed(str(error), WRONG_USE)
    if _options.is_json:
        print(json.dumps([one.as_dict() for one in answers], indent=1))
    else:
        show_answers(answers, screen)
    codes = {_EXIT.get(one.answer["code"], REFUSED) for one in answers}
    return typer.Exit(max(codes - {NOT_RUNNING} or {NOT_RUNNING}))


def _told(answer: Any) -> typer.Exit:
    if _options.is_json:
        print(json.dumps(answer, indent=1))
    else:
        show_reply(answer, screen)
    return typer.Exit(_EXIT[ReplyCode(answer["code"])])


def _answer_of_ended(name: CommandName, argument: str) -> typer.Exit:
    """Answer from the journal of a run that has ended."""
    # It imports half of the program, which no other command needs.
    from bin.bootstrap.finished_run import answer_of_ended  # noqa: PLC0415

    try:
        reply = answer_of_ended(_options.directory, name, argument)
    except ConfigError as error:
        return _failed(f"No system is running there, and {error}", NOT_RUNNING)
    return _told(asdict(reply))


def _failed(text: str, code: int) -> typer.Exit:
    if _options.is_json:
        print(json.dumps({"code": "failed", "title": text}))
    else:
        errors.print(text, style="red", highlight=False, soft_wrap=True)
    return typer.Exit(code)


if __name__ == "__main__":
    start(app, "ctl")
