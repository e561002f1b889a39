"""Checks before every request: host, origin and rate; and the security headers of answers.

ASGI middleware for HTTP and WebSocket.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.operator.control.buckets import Buckets

MOST_BYTES = 4096
"""Most bytes of a request's body."""
_SAFE = frozenset({"GET", "HEAD"})
# Plotly writes the style of each plot into the page itself.
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
POLICY = "Content-Security-Policy"
REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; frame-ancestors 'none'"
)
"""Policy of a report, which contains scripts: it is sandboxed, and can request nothing here."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
NoteRefusal = Callable[[str, str, str], None]
"""Takes the address, the request, and why it was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorRules:
    """Who may send requests, and how many."""

    hosts: Sequence[str]
    """Host names and addresses, in lower case, without ports."""
    is_behind_tls: bool
    """Whether browsers connect by https, through a local proxy that passes their address."""
    per_second: int = 50
    """Most requests per second from one address."""


class Door:
    """Passes allowed requests on."""

    def __init__(self, app: ASGIApp, *, rules: DoorRules, note: NoteRefusal) -> None:
        self._app = app
        self._rules = rules
        self._note = note
        self._buckets = Buckets(rules.per_second)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope["client"] = (self._address(scope, headers), 0)
        refusal = self._why_not(scope, headers)
        if refusal is None:
            await self._app(scope, receive, self._marked(send))
            return
        what = f"{scope.get('method', 'WS')} {scope['path'][:80]}"
        self._note(scope["client"][0], what, f"{refusal[0]} {refusal[1]}")
        await _refuse(scope, receive, self._marked(send), *refusal)

    def _address(self, scope: Scope, headers: Headers) -> str:
        address = str((scope.get("client") or ("?", 0))[0])
        if self._rules.is_behind_tls and address in ("127.0.0.1", "::1"):
            return headers.get("x-real-ip", address)[:64]
        return address

    def _why_not(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        if not self._buckets.take(scope["client"][0]):
            return 429, "too many requests"
        host = headers.get("host", "")
        # Refuses pages of other sites whose name was pointed at this address (DNS rebinding).
        if _without_port(host) not in self._rules.hosts:
            return 400, "called by a name that web.allowed_hosts does not have"
        is_change = scope["type"] == "websocket" or scope["method"] not in _SAFE
        scheme = "https" if self._rules.is_behind_tls else "http"
        if is_change and headers.get("origin") != f"{scheme}://{host}":
            return 403, "not requested by this page itself (Origin)"
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length[:9]) > MOST_BYTES:
            return 413, "the body is too large"
        return None

    def _marked(self, send: Send) -> Send:
        async def mark(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault(POLICY, _CSP)
            await send(message)

        return mark


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).strip("[]").lower()


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4403, "reason": why})
        return
    body = why.encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
