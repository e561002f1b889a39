"""Every command as an endpoint, with its page at /docs."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import FastAPI, Header, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.routing import BaseRoute

from domain.operator import MANUALS, Command, CommandName, UnknownCommandError, checked
from domain.replies import Reply, ReplyCode, ReplyTable
from infra.control.gate import Gate, NoteAccess

_STATUS = {
    ReplyCode.DONE: 200,
    ReplyCode.CONFIRM: 202,
    ReplyCode.WRONG: 422,
    ReplyCode.REFUSED: 409,
    ReplyCode.LATE: 504,
}
AnswerCommand = Callable[[str, Command, bool], Reply]
"""Takes who asks, the command, and whether it is confirmed."""
_Who = Annotated[
    str, Header(alias="X-Operator", pattern=r"^[A-Za-z0-9._@-]{1,40}$", description="who asks")
]


class Order(BaseModel):
    """What a command that changes something may need."""

    model_config = ConfigDict(extra="forbid", strict=True)

    argument: str = Field(default="", max_length=80, pattern=r"^\S*$")
    confirm: bool = False
    """Done at once, where it would be asked for a second time."""


class Told(BaseModel):
    """An answer; see `domain.replies.Reply`."""

    code: ReplyCode
    title: str
    lines: tuple[str, ...]
    table: ReplyTable | None
    data: dict[str, Any]


def make_app(
    answer: AnswerCommand,
    token: str,
    *,
    per_second: int,
    note_access: NoteAccess,
    routes: Iterable[BaseRoute] = (),
) -> FastAPI:
    """Return the app.

    Args:
        answer: does commands; may take seconds, and is called in threads.
        token: what each request must bear.
        per_second: how many requests may come.
        note_access: told of what was refused at the door.
        routes: more of them, for others than the operator.
    """
    app = FastAPI(
        title="Control",
        description="Commands to the running system. POST changes something, GET only asks.",
        responses={status: {"model": Told} for code, status in _STATUS.items() if status > 200},  # noqa: PLR2004
    )
    for name, manual in MANUALS.items():
        make = _ordering if manual.changes else _asking
        app.add_api_route(
            f"/{name}",
            make(name, answer),
            methods=["POST" if manual.changes else "GET"],
            summary=manual.does,
            operation_id=name.value,
            response_model=Told,
        )
    app.router.routes.extend(routes)
    app.add_middleware(Gate, token=token, per_second=per_second, note_access=note_access)
    return app


def _asking(name: CommandName, answer: AnswerCommand) -> Callable[..., Told]:
    def ask(
        response: Response,
        argument: Annotated[str, Field(max_length=80, pattern=r"^\S*$")] = "",
        who: _Who = "api",
    ) -> Told:
        return _told(response, answer, who, name, argument, is_confirmed=False)

    return ask


def _ordering(name: CommandName, answer: AnswerCommand) -> Callable[..., Told]:
    def order(response: Response, order: Order | None = None, who: _Who = "api") -> Told:
        given = order or Order()
        return _told(response, answer, who, name, given.argument, is_confirmed=given.confirm)

    return order


def _told(
    response: Response,
    answer: AnswerCommand,
    who: str,
    name: CommandName,
    argument: str,
    *,
    is_confirmed: bool,
) -> Told:
    try:
        reply = answer(f"http/{who}", checked(name, argument), is_confirmed)
    except UnknownCommandError as error:
        reply = Reply(code=ReplyCode.WRONG, title=str(error))
    response.status_code = _STATUS[reply.code]
    return Told(
        code=reply.code,
        title=reply.title,
        lines=reply.lines,
        table=reply.table,
        data=dict(reply.data),
    )
