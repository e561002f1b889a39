"""The sessions of logged-in users. They survive the process: a killed page needs no new logins."""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
from loguru import logger

from infra.operator.web.files import SESSIONS_FILE, read_json, write_private
from infra.operator.web.users import Role

_MOST = 100
"""Most sessions at once; the one idle for longest has to log in again."""
_WRITE_EVERY_S = 60.0


@dataclass(slots=True, kw_only=True)
class Session:
    """A logged-in browser."""

    key: str
    """Hash of the value in the browser's cookie."""
    user: str
    role: Role
    csrf: str
    """The token required in each change from its pages."""
    seen_s: float
    """Since 1970."""


class Sessions:
    """All sessions."""

    def __init__(
        self, directory: Path, idle_s: float, now_s: Callable[[], float] = time.time
    ) -> None:
        """Load the sessions of the previous process.

        Args:
            directory: of the run.
            idle_s: time after which an unused session ends.
            now_s: since 1970.
        """
        self._file = directory / SESSIONS_FILE
        self._idle_s = idle_s
        self._now_s = now_s
        self._written_s = now_s()
        self._sessions: dict[str, Session] = {}
        try:
            stored = msgspec.convert(read_json(self._file) or [], list[Session])
        except msgspec.ValidationError:
            stored = []
        self._sessions = {each.key: each for each in stored}

    def begin(self, user: str, role: Role) -> tuple[str, Session]:
        """Return the cookie value of a new session, and the session."""
        cookie = secrets.token_urlsafe(32)
        session = Session(
            key=_key(cookie),
            user=user,
            role=role,
            csrf=secrets.token_urlsafe(32),
            seen_s=self._now_s(),
        )
        self._sessions[session.key] = session
        while len(self._sessions) > _MOST:
            del self._sessions[min(self._sessions.values(), key=lambda each: each.seen_s).key]
        self._write()
        return cookie, session

    def find(self, cookie: str) -> Session | None:
        """Return the session of a browser, and note its use; None: it must log in."""
        session, now_s = self._sessions.get(_key(cookie)), self._now_s()
        if session is None:
            return None
        if now_s - session.seen_s > self._idle_s:
            self.end(session)
            return None
        session.seen_s = now_s
        if now_s - self._written_s > _WRITE_EVERY_S:
            self._write()
        return session

    def holds(self, session: Session) -> bool:
        """Tell whether a session is still valid; this does not prolong it."""
        is_idle = self._now_s() - session.seen_s > self._idle_s
        return session.key in self._sessions and not is_idle

    def end(self, session: Session) -> None:
        """End the session of a browser."""
        self._sessions.pop(session.key, None)
        self._write()

    def end_all_of(self, user: str) -> None:
        for session in [each for each in self._sessions.values() if each.user == user]:
            del self._sessions[session.key]
        self._write()

    def _write(self) -> None:
        self._written_s = self._now_s()
        try:
            write_private(
                self._file, json.dumps([asdict(each) for each in self._sessions.values()])
            )
        except OSError as error:  # they are valid until this process ends
            logger.warning("sessions are not stored: {}", error.strerror)


def may_change(session: Session, token: str) -> bool:
    """Tell whether a request has the session's own token, which no foreign page knows."""
    return hmac.compare_digest(session.csrf.encode(), token.encode())


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
