"""Logging in and out: by password or a one-time link, then by a cookie."""

import time
from collections import deque
from pathlib import Path

import msgspec
from anyio import CapacityLimiter, to_thread
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from domain.errors import ConfigError
from infra.operator.web import links
from infra.operator.web.access import AccessLog
from infra.operator.web.door import MOST_BYTES
from infra.operator.web.sessions import Session, Sessions, may_change
from infra.operator.web.users import Role, role_of

_ATTEMPTS, _IN_S = 10, 60.0
"""Most wrong attempts, from all addresses together: argon2 takes a tenth of a second each."""
LINK_USER = "owner"
"""User name of a login by link; links are made by the owner of the run directory."""


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """A login as sent by a browser."""

    user: str = ""
    password: str = ""
    once: str = ""


class Logins:
    """Handles logins."""

    def __init__(
        self, directory: Path, sessions: Sessions, access: AccessLog, *, is_secure: bool
    ) -> None:
        """Use the passwords and links of a run directory."""
        self._directory = directory
        self._sessions = sessions
        self._access = access
        self._is_secure = is_secure
        self._cookie = "__Host-session" if is_secure else "session"
        self._wrong_s: deque[float] = deque(maxlen=_ATTEMPTS)
        self._hashing = CapacityLimiter(1)

    def session_of(self, connection: HTTPConnection) -> Session | None:
        """Return the session of a browser; None: it must log in."""
        cookie = connection.cookies.get(self._cookie)
        return None if cookie is None else self._sessions.find(cookie)

    async def log_in(self, request: Request) -> Response:
        address = request.client.host if request.client else "?"
        try:
            asked = msgspec.json.decode(await read_body(request), type=Asked)
        except (msgspec.MsgspecError, UnicodeDecodeError, TooLargeError):
            return told(422, "expected a user with a password, or a link")
        who = asked.user or LINK_USER
        if self._is_flooded():
            self._access.note(who, address, "login", "refused: too many wrong ones")
            return told(429, "Too many wrong attempts; wait a minute.")
        role = await self._role(asked)
        if role is None:
            self._wrong_s.append(time.monotonic())
            self._access.note(who, address, "login", "refused: wrong")
            is_link = bool(asked.once)
            return told(401, "This link was used or is too old." if is_link else "Wrong.")
        cookie, session = self._sessions.begin(who, role)
        self._access.note(
            who, address, "login", f"{role} by {'link' if asked.once else 'password'}"
        )
        answer = JSONResponse({"user": session.user, "role": session.role})
        answer.set_cookie(
            self._cookie,
            cookie,
            httponly=True,
            secure=self._is_secure,
            samesite="strict",
            path="/",
        )
        return answer

    async def log_out(self, request: Request) -> Response:
        """End the session of a browser."""
        session = self.session_of(request)
        if session is None or not is_own(request, session):
            return told(403, "not requested by this page itself")
        self._sessions.end(session)
        self._access.note(session.user, address_of(request), "logout", "done")
        answer = told(200, "logged out")
        answer.delete_cookie(self._cookie, path="/")
        return answer

    async def _role(self, asked: Asked) -> Role | None:
        if asked.once:
            is_good = await to_thread.run_sync(links.use, self._directory, asked.once)
            return Role.OPERATOR if is_good else None
        if asked.user == LINK_USER:
            return None
        try:
            return await to_thread.run_sync(
                role_of, self._directory, asked.user, asked.password, limiter=self._hashing
            )
        except ConfigError as error:
            self._access.note(asked.user, "", "login", f"users cannot be read: {error}")
            return None

    def _is_flooded(self) -> bool:
        is_full = len(self._wrong_s) == _ATTEMPTS
        return is_full and time.monotonic() - self._wrong_s[0] < _IN_S


class TooLargeError(Exception):
    """A request's body is too large."""


async def read_body(request: Request) -> bytes:
    """Return the body.

    Raises:
        TooLargeError: it is larger than any of the page's own.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise TooLargeError
    return body


def is_own(request: Request, session: Session) -> bool:
    """Tell whether a change is requested by a page of the session itself."""
    return may_change(session, request.headers.get("x-csrf-token", ""))


def address_of(connection: HTTPConnection) -> str:
    """Return the client's address."""
    return connection.client.host if connection.client else "?"


def told(status: int, title: str) -> JSONResponse:
    """Return an answer of one line."""
    return JSONResponse({"title": title}, status)
