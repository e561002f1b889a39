"""Checks before every request: its token, its size, and the request rate."""

import hmac
import json
from collections.abc import Callable
from http import HTTPStatus

from anyio import CapacityLimiter, sleep, to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.errors import JournalError
from domain.text import plain
from infra.operator.control.buckets import Buckets
from infra.operator.control.connections import EXTENSION, Connection
from infra.operator.control.tally import Tally

MOST_BYTES = 4096
"""Most bytes of a request's body: a command needs a hundred."""
MOST_NAME_BYTES = 40
"""Header that names the requester."""
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths for a service manager and for Prometheus, which send no token."""
PAGE_PATHS = frozenset({"/snapshot", "/act"})
"""The only paths that the token of the web page is valid for."""
REACHED = "control.reached"
"""Key in a request's scope: set once it reached the command service, which stores its answer."""

_REFUSALS = range(400, 600)
_NEVER_REFUSED = "/panic"
"""Never rate-limited with a valid token: a client that asks too much must not block a panic."""
_MOST_WAITING_NOTES = 16
"""Most refusals waiting for a slow journal; a flood must not fill the memory."""

_PAGE_PER_SECOND = 10
"""Request rate of the page, over all its users; it takes nothing from other callers."""

_Refusal = tuple[int, str]
"""HTTP status and reason."""
_TOO_MANY = 429, "too many requests"
_SLOW_S = 0.1
"""Delay before a refusal: a flood must not take CPU time from trading."""
NoteAccess = Callable[[str, str, str], None]
"""Takes requester, request and result of a refused access."""


class Gate:
    """ASGI middleware: passes allowed requests on, and records refused ones."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str,
        page_token: str | None = None,
        per_second: int,
        note_access: NoteAccess,
        tally: Tally,
        tell: Callable[[str], None],
    ) -> None:
        """Wrap an app.

        Args:
            app: takes the requests.
            token: required in each.
            page_token: used by the web page; None: there is none.
            per_second: most requests of one caller.
            note_access: called in a thread for each that reached no command service; may take
                seconds, and raise `JournalError`.
            tally: counts all of them.
            tell: takes what could not be recorded; may be called very often.
        """
        self._app = app
        self._expected = _bearing(token)
        self._expected_of_page = None if page_token is None else _bearing(page_token)
        self._buckets = Buckets(per_second)
        self._page_buckets = Buckets(_PAGE_PER_SECOND)
        self._note_access = note_access
        self._noting = CapacityLimiter(1)
        self._tally = tally
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = self._why_not(scope) or await _read(receive)
        if isinstance(found, bytes):
            await self._pass_on(scope, _given(found, receive), send)
            return
        await self._note(scope, *found)
        if found == _TOO_MANY:
            await sleep(_SLOW_S)
        await _answer(send, *found)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer, and inspect its answer."""
        scope[REACHED] = False
        connection = _connection(scope)
        if connection is not None:
            connection.begin_answer()
        is_told = False

        async def watch(message: Message) -> None:
            nonlocal is_told
            if message["type"] == "http.response.start":
                is_told = True
                await self._count(scope, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            if not is_told:
                await self._count(scope, 500)

    async def _count(self, scope: Scope, status: int) -> None:
        """Count an answer of the app, and record it if it is not from the command service."""
        if status in _REFUSALS and not scope[REACHED] and not _is_open(scope):
            await self._note(scope, status, HTTPStatus(status).phrase)
        else:
            self._tally.add(status)

    def _why_not(self, scope: Scope) -> _Refusal | None:
        headers = dict(scope["headers"])
        given = headers.get(b"authorization", b"")
        if self._is_of_page(scope, given):
            return self._why_not_page(scope)
        is_bearer = hmac.compare_digest(given, self._expected) and not _is_open(scope)
        connection = _connection(scope)
        if is_bearer and connection is not None and not connection.admit():
            return 503, "too many connections at once"
        # After the token: a client without one takes no turn from those with one.
        is_in_turn = self._buckets.take(_caller(scope, headers, is_bearer=is_bearer))
        if not is_in_turn and not (is_bearer and scope["path"] == _NEVER_REFUSED):
            return _TOO_MANY
        if _is_open(scope):
            return None
        if not is_bearer:
            return 401, "a bearer token is needed: RUN_DIR/control.token"
        return _why_too_large(headers)

    def _is_of_page(self, scope: Scope, given: bytes) -> bool:
        expected = self._expected_of_page
        return (
            expected is not None
            and scope["path"] in PAGE_PATHS
            and hmac.compare_digest(given, expected)
        )

    def _why_not_page(self, scope: Scope) -> _Refusal | None:
        """Check a request of the page; the page itself keeps room for a panic."""
        connection = _connection(scope)
        if connection is not None and not connection.admit():
            return 503, "too many connections at once"
        if not self._page_buckets.take(scope["path"]):
            return _TOO_MANY
        return _why_too_large(dict(scope["headers"]))

    async def _note(self, scope: Scope, status: int, why: str) -> None:
        """Count a refusal, and store it in a thread: a slow journal must not hold anything up."""
        self._tally.add(status)
        if self._noting.statistics().tasks_waiting >= _MOST_WAITING_NOTES:
            self._tell("refused, but not recorded in the audit trail")
            return
        what = plain(f"{scope['method'][:10]} {scope['path'][:80]}")
        access = (f"http/{_address(scope)}", what, f"{status} {why}")
        try:
            await to_thread.run_sync(self._note_access, *access, limiter=self._noting)
        except JournalError as error:
            self._tell(f"refused, but not recorded in the audit trail: {error}")


def _bearing(token: str) -> bytes:
    return f"Bearer {token}".encode()


def _why_too_large(headers: dict[bytes, bytes]) -> _Refusal | None:
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length[:9]) > MOST_BYTES:
        return 413, "the body is too large"
    return None


def _is_open(scope: Scope) -> bool:
    return scope["path"] in OPEN_PATHS


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("?", 0))[0])


def _caller(scope: Scope, headers: dict[bytes, bytes], *, is_bearer: bool) -> tuple[object, ...]:
    """Return the caller that a request counts for; an unauthenticated name is ignored."""
    who = headers.get(b"x-operator", b"")[:MOST_NAME_BYTES] if is_bearer else None
    return _address(scope), _is_open(scope), who


def _connection(scope: Scope) -> Connection | None:
    found: Connection | None = scope.get("extensions", {}).get(EXTENSION)
    return found


async def _read(receive: Receive) -> bytes | _Refusal:
    """Return the whole body, or why there is none."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return 400, "the request broke off"
        body += bytes(message.get("body", b""))
        if len(body) > MOST_BYTES:
            return 413, "the body is too large"
        if not message.get("more_body", False):
            return body if _is_text(body) else (422, "the body is not JSON")


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _given(body: bytes, receive: Receive) -> Receive:
    """Return a receiver that first yields the body already read, then whatever follows."""
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
