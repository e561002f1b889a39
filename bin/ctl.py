"""The command `bin/ctl`: commands to a running system, and its audit trail."""

import getpass
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table
from typer.core import TyperGroup

from bin.command import start
from domain.errors import ConfigError
from domain.operator.commands import (
    MANUALS,
    CommandName,
    Parameter,
    UnknownCommandError,
    checked,
    parse,
)
from domain.operator.replies import ReplyCode
from infra.operator.control.client import LateAnswerError, NoAnswerError, NotRunningError, ask
from infra.operator.panic_file import FILE, request_panic
from infra.operator.terminal.screen import Screen
from infra.process.locks import RUN_LOCK
from infra.process.times import read_time
from infra.store.audit import AuditEntry, read_audit
from infra.store.location import find_journal, journal_exists
from infra.venues.modes import read_run_name

DONE, REFUSED, WRONG_USE, NOT_RUNNING, UNCONFIRMED, LATE = range(6)
_EXIT = {
    ReplyCode.DONE: DONE,
    ReplyCode.REFUSED: REFUSED,
    ReplyCode.WRONG: WRONG_USE,
    ReplyCode.CONFIRM: UNCONFIRMED,
    ReplyCode.LATE: LATE,
}
_FLAGS, _VALUED = ("--json",), ("--run-dir", "--mode")
"""Options of all commands: alone, and with a value."""
_OF_FACTS = (CommandName.PORTFOLIO, CommandName.PERFORMANCE)
"""What is answered from the journal where nothing runs any more."""
_VAR = Path(__file__).resolve().parents[1] / "var"


class _Anywhere(TyperGroup):
    """Lets the options of all commands stand after the command too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Bring them to the front."""
        front: list[str] = []
        rest: list[str] = []
        words = iter(args)
        for word in words:
            if word in _VALUED:
                front += [word, *islice(words, 1)]
            elif word in _FLAGS or word.startswith(tuple(f"{name}=" for name in _VALUED)):
                front.append(word)
            else:
                rest.append(word)
        return super().parse_args(ctx, front + rest)


app = typer.Typer(
    cls=_Anywhere,
    no_args_is_help=True,
    add_completion=False,
    help="Commands to a running system, and its audit trail.",
    epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong use, 3 nothing runs there, "
    "4 to be confirmed (--yes), 5 no answer in time.",
)
screen, errors = Screen(), Screen(stderr=True)


@dataclass(slots=True)
class _Options:
    directory: Path = _VAR / "sim"
    is_json: bool = False


_options = _Options()


@app.callback()
def choose(
    *,
    run_dir: Annotated[Path | None, typer.Option(help="Run directory of the system.")] = None,
    mode: Annotated[str, typer.Option(help="Its mode, where it runs in var/MODE.")] = "sim",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Send commands to a running system."""
    _options.is_json = as_json
    try:
        _options.directory = run_dir or _VAR / read_run_name(mode)
    except ConfigError as error:
        raise _failed(str(error), WRONG_USE) from None


@app.command()
def audit(
    *,
    since: Annotated[str | None, typer.Option(metavar="ISO", help="From this time on.")] = None,
    asset: Annotated[str | None, typer.Option(help="Of this asset alone.")] = None,
    last: Annotated[int, typer.Option(help="At most so many, the newest.", min=1)] = 200,
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
        screen.print(_line(entry), highlight=False, soft_wrap=True)


def _line(entry: AuditEntry) -> str:
    at = datetime.fromtimestamp(entry.recorded_ms / 1000, UTC)
    trace = "" if entry.trace_id is None else f"  [{entry.trace_id}]"
    head = f"{at:%Y-%m-%d %H:%M:%S}  {entry.fact_id}  {entry.kind:<16} {entry.asset or '-':<5}"
    return f"{head} {entry.writer}: {entry.what}{trace}"


_Yes = Annotated[bool, typer.Option("--yes", help="Confirmed: do not ask again.")]


def _register(name: CommandName) -> None:
    manual = MANUALS[name]
    needed = Annotated[str, typer.Argument(metavar=str(manual.parameter))]

    def plain(*, yes: _Yes = False) -> None:
        _send(name, "", is_confirmed=yes)

    def with_argument(argument: needed, *, yes: _Yes = False) -> None:
        _send(name, argument, is_confirmed=yes)

    def with_optional(argument: needed = "", *, yes: _Yes = False) -> None:
        _send(name, argument, is_confirmed=yes)

    def with_part(
        asset: Annotated[str, typer.Argument(metavar="ASSET")],
        fraction: Annotated[str, typer.Argument(metavar="FRACTION")] = "",
        *,
        yes: _Yes = False,
    ) -> None:
        _send(name, f"{asset} {fraction}".rstrip(), is_confirmed=yes)

    def of_letters(
        action: Annotated[str, typer.Argument(metavar="[list|show|drop|redeliver]")] = "",
        letter: Annotated[str, typer.Argument(metavar="[ID]")] = "",
        *,
        yes: _Yes = False,
    ) -> None:
        try:
            asked = parse(f"{name} {action} {letter}")
        except UnknownCommandError as error:
            raise _failed(str(error), WRONG_USE) from None
        _send(asked.name, asked.argument, is_confirmed=yes)

    def with_pair(
        action: Annotated[str, typer.Argument(metavar="add|remove|list")],
        symbol: Annotated[str, typer.Argument(metavar="SYMBOL")] = "",
        *,
        like: Annotated[str, typer.Option(metavar="SYMBOL", help="Whose settings it has.")] = "",
        yes: _Yes = False,
    ) -> None:
        end = f"--like {like}" if like else ""
        _send(name, " ".join(f"{action} {symbol} {end}".split()), is_confirmed=yes)

    function: Callable[..., None] = plain
    if manual.parameter is not None:
        function = with_optional if manual.is_optional else with_argument
    special: dict[Parameter, Callable[..., None]] = {
        Parameter.PART: with_part,
        Parameter.PAIR: with_pair,
    }
    function = special.get(manual.parameter or Parameter.ID, function)
    if name is CommandName.DEADLETTERS:
        function = of_letters
    app.command(name.value, help=f"{manual.does[0].upper()}{manual.does[1:]}.")(function)


for _name in CommandName:
    _register(_name)


def _send(name: CommandName, argument: str, *, is_confirmed: bool) -> None:
    by_file = False
    try:
        asked = checked(name, argument)
        by_file = asked.name is CommandName.PANIC and is_confirmed
        answer = ask(
            _options.directory,
            asked.name,
            asked.argument,
            f"ctl-{_user()}",
            is_confirmed=is_confirmed,
        )
    except UnknownCommandError as error:
        raise _failed(str(error), WRONG_USE) from None
    except ConfigError as error:
        raise (_panicked(str(error)) if by_file else _failed(str(error), WRONG_USE)) from None
    except NoAnswerError as error:
        if name in _OF_FACTS and isinstance(error, NotRunningError):
            raise _answer_of_ended(name, argument) from None
        if name is CommandName.HELP and isinstance(error, NotRunningError):
            app([*argument.split(), "--help"], prog_name="bin/ctl")
        raise (_panicked(str(error)) if by_file else _unanswered(error)) from None
    raise _told(answer)


def _told(answer: Any) -> typer.Exit:
    if _options.is_json:
        print(json.dumps(answer, indent=1))
    else:
        _show(answer)
    return typer.Exit(_EXIT[ReplyCode(answer["code"])])


def _answer_of_ended(name: CommandName, argument: str) -> typer.Exit:
    """Answer from the journal of a run that is over, if there is one."""
    # It brings half of the program with it, which no other command needs.
    from bin.bootstrap.finished_run import answer_of_ended  # noqa: PLC0415

    directory = _options.directory
    if not journal_exists(directory):
        return _not_running()
    try:
        reply = answer_of_ended(directory, name, argument)
    except ConfigError as error:
        return _failed(f"Nothing takes commands there, and {error}", NOT_RUNNING)
    return _told(asdict(reply))


def _unanswered(error: NoAnswerError) -> typer.Exit:
    if isinstance(error, NotRunningError):
        return _not_running()
    code = LATE if isinstance(error, LateAnswerError) else REFUSED
    return _failed(
        f"{error}; the file {_options.directory / FILE} asks for a panic without it", code
    )


def _panicked(why: str) -> typer.Exit:
    """Ask for a panic by the file, which needs nobody to listen."""
    directory = _options.directory
    if not (directory / RUN_LOCK).exists():
        return _not_running()
    why = why or f"nothing takes commands in {directory}"
    try:
        request_panic(directory, f"ctl-{_user()}, by the file")
    except OSError as error:
        return _failed(
            f"{why}; and {directory / FILE} cannot be made: {error.strerror}. SIGUSR2 to the "
            "process asks for a panic too.",
            REFUSED,
        )
    return _failed(
        f"{why}; so the file {directory / FILE} was made, which asks for the panic: a system that "
        "runs there acts on it within seconds, else its next start does; the panic is stored once "
        "the file is gone.",
        LATE,
    )


def _show(answer: Any) -> None:
    is_good = answer["code"] == ReplyCode.DONE
    screen.print(answer["title"], style="bold" if is_good else "yellow")
    for line in answer.get("lines") or ():
        screen.print(line, highlight=False)
    table = answer.get("table")
    if table:
        # Whole at 80 columns, and broken rather than cut where it is longer.
        shown = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), show_edge=False, pad_edge=False)
        for name in table["columns"]:
            shown.add_column(name, overflow="fold")
        for row in table["rows"]:
            shown.add_row(*row)
        screen.print(shown)
    if answer["code"] == ReplyCode.CONFIRM:
        screen.print("Or at once, with --yes.")


def _user() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = ""
    return re.sub(r"[^A-Za-z0-9._@-]", "_", name)[:30] or "unknown"


def _not_running() -> typer.Exit:
    directory = _options.directory
    return _failed(
        f"Nothing takes commands in {directory}. Start it with bin/run-actors, or name another "
        "run by --run-dir or --mode; control.enabled must be true. Without it, the file "
        f"{directory / FILE} still asks for a panic, and audit still works.",
        NOT_RUNNING,
    )


def _failed(text: str, code: int) -> typer.Exit:
    if _options.is_json:
        print(json.dumps({"code": "failed", "title": text}))
    else:
        errors.print(text, style="red", highlight=False, soft_wrap=True)
    return typer.Exit(code)


if __name__ == "__main__":
    start(app, "ctl")
