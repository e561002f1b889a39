"""What stands before every request: its token, its size, and how many come."""

import hmac
import json
import time
from collections.abc import Callable
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.text import plain
from infra.operator.control.tally import Tally

MOST_BYTES = 4096
"""Of a request's body: a command needs a hundred."""
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""For a service manager and for Prometheus, which carry no token."""
REACHED = "control.reached"
"""In a request's scope: set once a desk was asked, which stores the answer itself."""

_REFUSALS = range(400, 600)

NoteAccess = Callable[[str, str, str], None]
"""Takes who, what and the result of an access that was refused."""


class Bucket:
    """At most so many a second, with as many at once."""

    def __init__(self, per_second: int, now_s: Callable[[], float] = time.monotonic) -> None:
        """Begin full."""
        self._per_second = per_second
        self._now_s = now_s
        self._left = float(per_second)
        self._seen_s = now_s()

    def take(self) -> bool:
        """Tell whether one more may come."""
        now_s = self._now_s()
        gained = (now_s - self._seen_s) * self._per_second
        self._left, self._seen_s = min(float(self._per_second), self._left + gained), now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Gate:
    """ASGI middleware: lets through what may, and notes what may not."""

    def __init__(
        self, app: ASGIApp, *, token: str, per_second: int, note_access: NoteAccess, tally: Tally
    ) -> None:
        """Stand before an app.

        Args:
            app: what takes the requests.
            token: what each must bear.
            per_second: how many may come.
            note_access: told of each that came to no desk.
            tally: counts all of them.
        """
        self._app = app
        self._expected = f"Bearer {token}".encode()
        self._bucket = Bucket(per_second)
        # Who looks at the pages takes no turn away from who commands, nor the other way round.
        self._pages = Bucket(per_second)
        self._note_access = note_access
        self._tally = tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = self._why_not(scope)
        if refused is None:
            body = await _read(receive)
            refused = _why_unreadable(body)
            if refused is None and body is not None:
                await self._pass_on(scope, _given(body, receive), send)
                return
        status, why = refused or (400, "the request broke off")
        self._note(scope, status, why)
        await _answer(send, status, why)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer, and look at what it says."""
        scope[REACHED] = False
        statuses: list[int] = []

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            status = statuses[0] if statuses else 500
            if status in _REFUSALS and not scope[REACHED] and scope["path"] not in OPEN_PATHS:
                self._note(scope, status, HTTPStatus(status).phrase)
            else:
                self._tally.add(status)

    def _why_not(self, scope: Scope) -> tuple[int, str] | None:
        headers = dict(scope["headers"])
        is_open = scope["path"] in OPEN_PATHS
        if not (self._pages if is_open else self._bucket).take():
            return 429, "too many requests"
        if is_open:
            return None
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._expected):
            return 401, "a bearer token is needed: RUN_DIR/control.token"
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:9]) > MOST_BYTES:
            return 413, "the body is too large"
        return None

    def _note(self, scope: Scope, status: int, why: str) -> None:
        self._tally.add(status)
        client = scope.get("client") or ("?", 0)
        what = plain(f"{scope['method'][:10]} {scope['path'][:80]}")
        self._note_access(f"http/{client[0]}", what, f"{status} {why}")


async def _read(receive: Receive) -> bytes | None:
    """Return the whole body; None where it is too large."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += bytes(message.get("body", b""))
        if len(body) > MOST_BYTES:
            return None
        if not message.get("more_body", False):
            return body


def _why_unreadable(body: bytes | None) -> tuple[int, str] | None:
    if body is None:
        return 413, "the body is too large"
    try:
        body.decode()
    except UnicodeDecodeError:
        return 422, "the body is no JSON"
    return None


def _given(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body that was read already, and then whatever else comes."""
    left = [body]

    async def give() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return give


async def _answer(send: Send, status: int, why: str) -> None:
    body = json.dumps({"code": "refused", "title": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status == 401:  # noqa: PLR2004 (the one status that asks for something)
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
