"""What the web page requests from the running system: the snapshot, and pressed commands."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from typing import Annotated

import msgspec
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from domain.errors import JournalError
from domain.operator.acts import PageAct
from domain.operator.commands import CommandName, UnknownCommandError, checked
from domain.operator.replies import Reply, ReplyCode
from domain.operator.system import SystemSnapshot
from infra.operator.control.gate import REACHED

SNAPSHOT_PATH, ACT_PATH = "/snapshot", "/act"
_STATUS = {ReplyCode.DONE: 200, ReplyCode.CONFIRM: 202, ReplyCode.LATE: 504}
_WRONG, _REFUSED = 422, 409

_Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._@-]{1,40}$")]


class Pressed(msgspec.Struct, forbid_unknown_fields=True):
    """A pressed command as sent; see `domain.operator.acts.PageAct`."""

    act_id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
    user: _Name
    command: CommandName
    shown: dict[str, Decimal]
    argument: Annotated[str, msgspec.Meta(max_length=80)] = ""
    confirm: bool = False


class SentSnapshot(msgspec.Struct):
    """A snapshot as sent: JSON keys cannot be pairs, so these are sent beside it."""

    system: SystemSnapshot
    correlations: list[tuple[str, str, float | None]]

    def whole(self) -> SystemSnapshot:
        """Return the snapshot with its pairs restored."""
        portfolio = self.system.portfolio
        if portfolio is None:
            return self.system
        pairs = {(one, other): found for one, other, found in self.correlations}
        return replace(self.system, portfolio=replace(portfolio, correlations=pairs))


_sent = msgspec.json.Decoder(SentSnapshot)


def write_snapshot(seen: SystemSnapshot) -> bytes:
    """Return a snapshot as JSON; money is exact text."""
    portfolio = seen.portfolio
    pairs: Mapping[tuple[str, str], float | None] = {}
    if portfolio is not None:
        pairs = portfolio.correlations
        seen = replace(seen, portfolio=replace(portfolio, correlations={}))
    system = {each.name: getattr(seen, each.name) for each in fields(seen)}
    reasons = {"state": seen.state, "reasons": seen.reasons}
    correlations = [(*pair, found) for pair, found in pairs.items()]
    return msgspec.json.encode({**reasons, "system": system, "correlations": correlations})


def read_snapshot(body: bytes) -> SystemSnapshot:
    """Return the snapshot written by `write_snapshot`.

    Raises:
        ValueError: it is not one.
    """
    return _sent.decode(body).whole()


def page_routes(
    snapshot: Callable[[], SystemSnapshot], do: Callable[[PageAct], Reply]
) -> list[BaseRoute]:
    """Return the routes of the page.

    Args:
        snapshot: returns the state of the system; may take a while, and is called in threads.
        do: carries out what was pressed; likewise.
    """

    async def show(_request: Request) -> Response:
        body = await to_thread.run_sync(lambda: write_snapshot(snapshot()))
        return Response(body, media_type="application/json")

    async def act(request: Request) -> Response:
        try:
            pressed = _act(await request.body())
        except (msgspec.ValidationError, msgspec.DecodeError, UnknownCommandError) as error:
            return _reply(Reply(code=ReplyCode.WRONG, title=str(error)))
        request.scope[REACHED] = True
        try:
            reply = await to_thread.run_sync(do, pressed)
        except JournalError as error:
            reply = Reply(code=ReplyCode.REFUSED, title=str(error))
        except TimeoutError:
            reply = Reply(code=ReplyCode.LATE, title="the same action is still in progress")
        return _reply(reply)

    return [Route(SNAPSHOT_PATH, show), Route(ACT_PATH, act, methods=["POST"])]


def _act(body: bytes) -> PageAct:
    pressed = msgspec.json.decode(body, type=Pressed)
    return PageAct(
        act_id=pressed.act_id,
        user=pressed.user,
        command=checked(pressed.command, pressed.argument),
        is_confirmed=pressed.confirm,
        shown=pressed.shown,
    )


def _reply(reply: Reply) -> Response:
    status = _STATUS.get(reply.code, _WRONG if reply.code is ReplyCode.WRONG else _REFUSED)
    table = reply.table
    body = {
        "code": reply.code,
        "title": reply.title,
        "lines": reply.lines,
        "table": None if table is None else {"columns": table.columns, "rows": list(table.rows)},
    }
    return JSONResponse(body, status)
