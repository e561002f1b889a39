"""What stands before every request: its token, its size, and how many come."""

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
"""Of a request's body: a command needs a hundred."""
MOST_NAME_BYTES = 40
"""Of who asks."""
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""For a service manager and for Prometheus, which carry no token."""
PAGE_PATHS = frozenset({"/snapshot", "/act"})
"""All that the token of the page in a browser is good for."""
REACHED = "control.reached"
"""In a request's scope: set once a desk was asked, which stores the answer itself."""

_REFUSALS = range(400, 600)
_NEVER_REFUSED = "/panic"
"""Where a valid token is borne; a client that asks too much must not stand before a panic."""
_MOST_WAITING_NOTES = 16
"""While the journal is slow; a flood must not fill the memory."""

_PAGE_PER_SECOND = 10
"""Requests of the page, whoever uses it; nobody else loses a turn by them."""

_Refusal = tuple[int, str]
"""HTTP status, and why."""
_TOO_MANY = 429, "too many requests"
_SLOW_S = 0.1
"""Before it is answered: a flood must not take the processor from those that trade."""
NoteAccess = Callable[[str, str, str], None]
"""Takes who, what and the result of an access that was refused."""


class Gate:
    """ASGI middleware: lets through what may, and notes what may not."""

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
        """Stand before an app.

        Args:
            app: what takes the requests.
            token: what each must bear.
            page_token: what the page in a browser bears; None: there is none.
            per_second: how many may come from one caller.
            note_access: told of each that came to no desk, in a thread; may take seconds, and
                raise `JournalError`.
            tally: counts all of them.
            tell: takes what could not be noted; may be called very often.
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
        """Take a request."""
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
        """Let the app answer, and look at what it says."""
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
        """Count an answer of the app, and note one that came from no desk."""
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
        # After the token: who bears none takes no turn away from who does.
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
        """Judge what the page asks; the page itself sees to it that a panic is not one too many."""
        connection = _connection(scope)
        if connection is not None and not connection.admit():
            return 503, "too many connections at once"
        if not self._page_buckets.take(scope["path"]):
            return _TOO_MANY
        return _why_too_large(dict(scope["headers"]))

    async def _note(self, scope: Scope, status: int, why: str) -> None:
        """Count what was refused, and store it in a thread: a slow journal must hold up nobody."""
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
    """Return whose turns a request takes; what a stranger says of itself counts for nothing."""
    who = headers.get(b"x-operator", b"")[:MOST_NAME_BYTES] if is_bearer else None
    return _address(scope), _is_open(scope), who


def _connection(scope: Scope) -> Connection | None:
    found: Connection | None = scope.get("extensions", {}).get(EXTENSION)
    return found


async def _read(receive: Receive) -> bytes | _Refusal:
    """Return the whole body, or why it is none."""
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
