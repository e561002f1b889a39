"""The command `bin/ctl`: commands to a running system, and its audit trail.

Exit codes: 0 done, 1 refused or failed, 2 wrong use, 3 nothing runs there, 4 needs to be confirmed
(--yes), 5 no answer in time.
"""

import getpass
import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.table import Table
from typer.core import TyperGroup

from bin.command import start
from domain.errors import ConfigError
from domain.operator.commands import MANUALS, CommandName, UnknownCommandError, checked
from domain.operator.replies import ReplyCode
from infra.operator.control.token import ControlAddress, read_address, read_token
from infra.operator.terminal.screen import Screen
from infra.process.times import read_time
from infra.store.audit import AuditEntry, read_audit

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
_VAR = Path(__file__).resolve().parents[1] / "var"
_PATIENCE_S = 30.0
_MOST_BYTES = 10_000_000
"""Of an answer: a thousand trades need a tenth of it."""


class _Rows(msgspec.Struct):
    columns: list[str]
    rows: list[list[str]]


class _Answer(msgspec.Struct):
    """What an answer must hold; whatever else listens there may say anything."""

    code: ReplyCode
    title: str
    lines: list[str] = []
    table: _Rows | None = None


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


app = typer.Typer(cls=_Anywhere, no_args_is_help=True, add_completion=False, help=__doc__)
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
    _options.directory = run_dir or _VAR / mode
    _options.is_json = as_json


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
        found = read_audit(_options.directory / "journal.sqlite", from_ms, asset)[-last:]
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

    function: Callable[..., None] = plain
    if manual.parameter is not None:
        function = with_optional if manual.is_optional else with_argument
    app.command(name.value, help=f"{manual.does[0].upper()}{manual.does[1:]}.")(function)


for _name in CommandName:
    _register(_name)


def _send(name: CommandName, argument: str, *, is_confirmed: bool) -> None:
    try:
        checked(name, argument)
        answer = _asked(name, argument, is_confirmed=is_confirmed)
    except (ConfigError, UnknownCommandError) as error:
        raise _failed(str(error), WRONG_USE) from None
    if _options.is_json:
        print(json.dumps(answer, indent=1))
    else:
        _show(answer)
    raise typer.Exit(_EXIT[ReplyCode(answer["code"])])


def _asked(name: CommandName, argument: str, *, is_confirmed: bool) -> Any:
    directory = _options.directory
    address = read_address(directory)
    if address is None:
        raise _not_running()
    request = urllib.request.Request(  # noqa: S310 (http, by the address that we made)
        f"{address.url}/{name}",
        headers={
            "Authorization": f"Bearer {read_token(directory)}",
            "Content-Type": "application/json",
            "X-Operator": f"ctl-{_user()}",
        },
    )
    if MANUALS[name].changes:
        body = {"confirm": is_confirmed} | ({"argument": argument} if argument else {})
        request.data = json.dumps(body).encode()
    elif argument:
        request.full_url += f"?argument={urllib.request.quote(argument)}"  # type: ignore[attr-defined]
    return _answer(request, address)


def _answer(request: urllib.request.Request, address: ControlAddress) -> Any:
    # Never by a proxy: the token is for this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        try:
            answer = opener.open(request, timeout=_PATIENCE_S)
        except urllib.error.HTTPError as denial:
            answer = denial  # an answer too, which can hang or break off as well
        with answer:
            return _read(answer, address)
    except TimeoutError:
        raise _late(address) from None
    except http.client.HTTPException as error:
        title = f"{address.url} broke off, or speaks no HTTP: {type(error).__name__}"
        raise _failed(title, REFUSED) from None
    except OSError as error:
        is_late = isinstance(getattr(error, "reason", None), TimeoutError)
        raise (_late(address) if is_late else _not_running()) from None


def _late(address: ControlAddress) -> typer.Exit:
    title = f"no answer in {_PATIENCE_S:g} s from {address.url} (process {address.pid})"
    return _failed(title, LATE)


def _read(answer: Any, address: ControlAddress) -> Any:
    body = answer.read(_MOST_BYTES + 1)
    try:
        msgspec.json.decode(body[:_MOST_BYTES], type=_Answer)
        return json.loads(body)
    except (ValueError, RecursionError):  # what msgspec raises is a ValueError too
        title = (
            f"expected an answer of the system from {address.url}, found something else "
            f"(HTTP {answer.status}, {len(body):,} bytes); is it another program?"
        )
        raise _failed(title, REFUSED) from None


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
        f"{directory / 'PANIC'} still asks for a panic, and audit still works.",
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
