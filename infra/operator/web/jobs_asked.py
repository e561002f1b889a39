"""Accepts requests for reports and backtests on the page."""

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse

from domain.text import plain
from infra.operator.web.access import AccessLog
from infra.operator.web.jobs import Jobs, Wanted
from infra.operator.web.login import TooLargeError, address_of, is_own, read_body, told
from infra.operator.web.sessions import Session
from infra.operator.web.users import Role


async def ask_for_job(
    jobs: Jobs, access: AccessLog, session: Session, run: str, request: Request
) -> JSONResponse:
    """Answer a request for a job; each is recorded, accepted or refused."""
    answer = await _answer(jobs, session, run, request)
    title = msgspec.json.decode(answer.body)["title"]
    access.note(session.user, address_of(request), "report", f"{answer.status_code} {title}")
    return answer


async def _answer(jobs: Jobs, session: Session, run: str, request: Request) -> JSONResponse:
    if not is_own(request, session):
        return told(403, "not requested by this page itself (CSRF token)")
    if session.role is not Role.OPERATOR:
        return told(403, "a viewer cannot start anything")
    try:
        wanted = msgspec.json.decode(await read_body(request), type=Wanted)
        job_id = jobs.ask(wanted, session.user, run)
    except (msgspec.MsgspecError, UnicodeDecodeError, TooLargeError, ValueError) as error:
        return told(422, plain(str(error))[:200] or "too large")
    except OSError as error:
        return told(507, f"it cannot be stored: {error.strerror}")
    return JSONResponse({"title": f"requested: {job_id}", "id": job_id})
