"""Passes an operator's commands on to the system, with user, command id and what was shown."""

from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from domain.operator.commands import CommandName
from domain.text import plain
from infra.operator.control.buckets import Buckets
from infra.operator.web.access import AccessLog
from infra.operator.web.login import TooLargeError, address_of, is_own, read_body, told
from infra.operator.web.sessions import Session
from infra.operator.web.system import NoSystemError, System
from infra.operator.web.users import Role

PRESSABLE = frozenset(
    {
        CommandName.PAUSE,
        CommandName.RESUME,
        CommandName.CLOSE,
        CommandName.REDUCE,
        CommandName.LIQUIDATE,
        CommandName.RESTART,
        CommandName.PANIC,
        CommandName.REARM,
        CommandName.LOG,
        CommandName.DEADLETTERS,
        CommandName.DROP,
        CommandName.REDELIVER,
    }
)
_PER_SECOND = 2
_buckets = Buckets(_PER_SECOND)


class Sent(msgspec.Struct, forbid_unknown_fields=True):
    """A command as sent by a browser; all fields are required."""

    act_id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
    command: CommandName
    argument: Annotated[str, msgspec.Meta(max_length=80)]
    shown: dict[str, str]
    typed: Annotated[str, msgspec.Meta(max_length=80)] = ""
    """The typed word of a command that is confirmed by typing."""


def _word_of(sent: Sent) -> str | None:
    """Return the word to be typed; None: a second press is enough.

    It is enough for a panic, which must be quick and may be pressed on a phone.
    """
    match sent.command:
        case CommandName.LIQUIDATE:
            return sent.argument
        case CommandName.REARM:
            return str(CommandName.REARM)
        case _:
            return None


async def press(system: System, access: AccessLog, session: Session, request: Request) -> Response:
    """Answer a command; each is recorded, done or refused."""
    what, answer = "press", told(403, "")
    try:
        if not is_own(request, session):
            answer = told(403, "not requested by this page itself (CSRF token)")
            return answer
        sent = msgspec.json.decode(await read_body(request), type=Sent)
        what = f"{sent.command} {sent.argument}".rstrip()
        answer = await _pass_on(system, session, sent)
    except (msgspec.MsgspecError, UnicodeDecodeError, TooLargeError) as error:
        answer = told(422, plain(str(error))[:200] or "too large")
    finally:
        result = f"{answer.status_code} {msgspec.json.decode(answer.body)['title']}"
        access.note(session.user, address_of(request), what, result)
    return answer


async def _pass_on(system: System, session: Session, sent: Sent) -> JSONResponse:
    if session.role is not Role.OPERATOR:
        return told(403, "a viewer cannot give commands")
    if sent.command not in PRESSABLE:
        return told(422, f"{sent.command} is not available on the page")
    word = _word_of(sent)
    if word is not None and sent.typed.casefold() != word.casefold():
        return told(422, f"not confirmed: type {word}")
    is_panic = sent.command is CommandName.PANIC
    if not _buckets.take((session.key, is_panic)):
        return told(429, "too many commands; wait a second")
    body = {**msgspec.to_builtins(sent), "user": session.user, "confirm": True}
    del body["typed"]
    try:
        status, answer = await system.act(body)
    except NoSystemError as error:
        doubt = f"No answer: {error}. It may have been carried out: check before you try again."
        return JSONResponse({"code": "late", "title": doubt}, 504)
    answer.setdefault("title", "")
    return JSONResponse(answer, status)
