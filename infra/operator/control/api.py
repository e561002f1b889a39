"""Every command as an endpoint, with its page at /docs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import BaseRoute

from domain.operator.commands import (
    MANUALS,
    SYMBOL,
    Command,
    CommandName,
    Manual,
    Parameter,
    UnknownCommandError,
    checked,
)
from domain.operator.replies import Reply, ReplyCode, ReplyTable
from domain.text import plain
from infra.operator.control.gate import REACHED, Gate, NoteAccess
from infra.operator.control.tally import Tally

_DONE = 200
_STATUS = {
    ReplyCode.DONE: _DONE,
    ReplyCode.CONFIRM: 202,
    ReplyCode.WRONG: 422,
    ReplyCode.REFUSED: 409,
    ReplyCode.LATE: 504,
}
_AT_THE_DOOR = {
    400: "broke off, or called by another name",
    401: "wrong token",
    413: "too large",
    429: "too many requests",
    503: "too many connections",
}
"""Refusals that `Gate` answers by itself."""
_LONGEST_TITLE = 300
_SHOWN_TOKEN = HTTPBearer(auto_error=False, description="RUN_DIR/control.token")
"""Only for the page: `Gate` has already checked the token."""
AnswerCommand = Callable[[str, Command, bool], Reply]
"""Takes the requester, the command, and whether it is confirmed."""
_Who = Annotated[
    str, Header(alias="X-Operator", pattern=r"^[A-Za-z0-9._@-]{1,40}$", description="who asks")
]


class Confirmation(BaseModel):
    """Whether a command is done at once, without asking for confirmation."""

    model_config = ConfigDict(extra="forbid", strict=True)

    confirm: bool = False


class Told(BaseModel):
    """An answer; see `domain.operator.replies.Reply`."""

    code: ReplyCode
    title: str
    lines: tuple[str, ...] = ()
    table: ReplyTable | None = None
    data: dict[str, Any] = Field(default_factory=dict)


def make_app(
    answer: AnswerCommand,
    token: str,
    *,
    page_token: str | None = None,
    per_second: int,
    hosts: Sequence[str],
    note_access: NoteAccess,
    tally: Tally,
    tell: Callable[[str], None],
    routes: Iterable[BaseRoute] = (),
) -> FastAPI:
    """Return the app.

    Args:
        answer: carries out commands; may take seconds, and is called in threads.
        token: required in each request.
        page_token: used by the web page; None: there is none.
        per_second: most requests of one caller.
        hosts: names and addresses that may be in the Host header.
        note_access: informed of requests that reach no command service.
        tally: counts all requests.
        tell: takes other events at the gate; may be called very often.
        routes: additional ones, not for the operator.
    """
    app = FastAPI(
        title="Control",
        description="Commands to the running system. POST changes something, GET only asks.",
        dependencies=[Security(_SHOWN_TOKEN), Depends(_only_known)],
        exception_handlers={RequestValidationError: _unfit},
        responses=_refusals(),
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
    # Refuses pages of other sites whose name was pointed at this address (DNS rebinding).
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    app.add_middleware(
        Gate,
        token=token,
        page_token=page_token,
        per_second=per_second,
        note_access=note_access,
        tally=tally,
        tell=tell,
    )
    return app


def _refusals() -> dict[int | str, dict[str, Any]]:
    """Return the error responses documented on the page."""
    found: dict[int | str, dict[str, Any]] = {
        status: {"model": Told, "description": why} for status, why in _AT_THE_DOOR.items()
    }
    return found | {status: {"model": Told} for status in _STATUS.values() if status != _DONE}


def _only_known(request: Request) -> None:
    """Refuse unknown parameters: a misspelt one must not be ignored."""
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise RequestValidationError(
            [{"loc": ("query", name), "msg": "no such parameter"} for name in unknown]
        )


async def _unfit(_: Request, error: RequestValidationError) -> Response:
    """Answer a malformed request like a wrong command."""
    found = error.errors()
    problems = [f"{' '.join(map(str, each['loc']))}: {each['msg']}" for each in found]
    told = Told(code=ReplyCode.WRONG, title=plain("; ".join(problems))[:_LONGEST_TITLE])
    return JSONResponse(told.model_dump(mode="json"), _STATUS[told.code])


def _asking(name: CommandName, answer: AnswerCommand) -> Callable[..., Told]:
    manual = MANUALS[name]
    given = Annotated[str, _field(manual)]

    def plain(request: Request, response: Response, who: _Who = "api") -> Told:
        return _told((request, response), answer, who, name, "")

    def needing(request: Request, response: Response, argument: given, who: _Who = "api") -> Told:
        return _told((request, response), answer, who, name, argument)

    def taking(
        request: Request, response: Response, argument: given | None = None, who: _Who = "api"
    ) -> Told:
        return _told((request, response), answer, who, name, argument or "")

    if manual.parameter is None:
        return plain
    return taking if manual.is_optional else needing


def _ordering(name: CommandName, answer: AnswerCommand) -> Callable[..., Told]:
    manual = MANUALS[name]

    class Order(Confirmation):
        argument: Annotated[str, _field(manual)]

    Order.__name__ = Order.__qualname__ = f"Order_{name}"

    def plain(
        request: Request, response: Response, order: Confirmation | None = None, who: _Who = "api"
    ) -> Told:
        is_confirmed = order is not None and order.confirm
        return _told((request, response), answer, who, name, "", is_confirmed=is_confirmed)

    def needing(request: Request, response: Response, order: Order, who: _Who = "api") -> Told:
        return _told(
            (request, response), answer, who, name, order.argument, is_confirmed=order.confirm
        )

    return plain if manual.parameter is None else needing


_FRACTION = (
    r"(0{0,3}\.([0-9]{0,11}[1-9]|[0-9]{0,5}[1-9]0{1,6})"  # below 1, and not 0
    r"|0{0,2}1(\.0{1,12})?)"
)
_PATTERNS: Mapping[Parameter | None, str] = {
    Parameter.COUNT: r"^([1-9][0-9]{0,2}|1000)$",
    Parameter.COMMAND: f"^({'|'.join(CommandName)})$",
    Parameter.PART: f"^[!-~\u3400-\u9fff]+( {_FRACTION})?$",
    Parameter.VIEW: f"^({Parameter.VIEW})$",
    Parameter.PAIR: f"^(list|remove {SYMBOL}|add {SYMBOL}( (--)?like {SYMBOL})?)$",
    Parameter.PERIOD: "^(all|([1-9][0-9]{0,2}|1000)d)$",
}


def _field(manual: Manual) -> Any:
    """Return the allowed form of an argument; a coin's name may be Chinese."""
    pattern = _PATTERNS.get(manual.parameter, "^[!-~\u3400-\u9fff]+$")
    return Field(pattern=pattern, max_length=80, description=f"{manual.parameter}")


def _told(
    exchange: tuple[Request, Response],
    answer: AnswerCommand,
    who: str,
    name: CommandName,
    argument: str,
    *,
    is_confirmed: bool = False,
) -> Told:
    request, response = exchange
    try:
        command = checked(name, argument)
        request.scope[REACHED] = True
        reply = answer(f"http/{who}", command, is_confirmed)
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
