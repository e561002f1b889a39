"""uvicorn behind a listener of our own, which cannot be blocked by many connections.

uvicorn's `limit_concurrency` counts idle connections and answers 503 to everybody, and asyncio's
servers accept up to a whole backlog at once and log a traceback for each that finds no descriptor.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from infra.operator.control.connections import ANSWER_S, EXTENSION, REQUEST_S, Connections, shares
from infra.operator.control.minute_log import MinuteLog

_KEEP_ALIVE_S = 3
"""Idle time between requests; shorter than `REQUEST_S`, so good clients are closed silently."""
_BREATH_S = 0.001
"""Pause between accepts in a flood of connections, which must not take CPU time from trading; those
that wait meanwhile are in the kernel's queue, and cost no descriptor."""
_RETRY_S = 0.2
"""Pause after a failed accept: its cause is still there."""


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Return a server for `serve`; its `should_exit` ends it."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        http="h11",
        ws="none",
        timeout_keep_alive=_KEEP_ALIVE_S,
        # Any program on this machine could claim another address by a header.
        proxy_headers=False,
    )
    return uvicorn.Server(config)


async def serve(server: uvicorn.Server, listening: socket.socket, log: MinuteLog) -> None:
    """Serve until the server's `should_exit` is set."""
    strangers, bearers = shares()
    connections = Connections(log.add, most_strangers=strangers, most_bearers=bearers)
    config, state = server.config, server.server_state
    asyncio.get_running_loop().set_exception_handler(lambda _, context: log.add(_shown(context)))
    accepting = asyncio.create_task(
        _accept(listening, lambda: Line(config, state, connections, log.add), connections, log)
    )
    accepting.add_done_callback(lambda _: setattr(server, "should_exit", True))
    with _logged(log):
        await server.serve(sockets=[])
    accepting.cancel()
    with suppress(asyncio.CancelledError):
        await accepting


class Line(H11Protocol):
    """A connection that is closed if no complete request arrives in time."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        connections: Connections,
        tell: Callable[[str], None],
    ) -> None:
        super().__init__(config, state, {})
        self.host = "?"
        self.is_waiting = True
        self._is_admitted = False
        self._connections = connections
        self._tell = tell
        self._deadline: asyncio.TimerHandle | None = None
        self._app = self.app
        self.app = self._answer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and wait for the first request."""
        super().connection_made(transport)
        self.host = self.client[0] if self.client else "?"
        self._await_request()
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._set_deadline(None)
        self._connections.remove(self)
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._await_request()
        super().on_response_complete()

    def abort(self) -> None:
        """Close it at once, dropping unsent data."""
        self.transport.abort()

    def admit(self) -> bool:
        """Count it as authenticated; return False if there are too many."""
        self._is_admitted = self._connections.admit(self)
        return self._is_admitted

    def begin_answer(self) -> None:
        """Learn that a request is complete; an authenticated one may wait longer for its answer."""
        self.is_waiting = False
        if self._is_admitted:
            self._set_deadline(ANSWER_S)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {EXTENSION: self}
        await self._app(scope, receive, send)

    def _await_request(self) -> None:
        self.is_waiting = True
        self._set_deadline(REQUEST_S)

    def _set_deadline(self, in_s: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if in_s is None else self.loop.call_later(in_s, self._be_late)

    def _be_late(self) -> None:
        self._tell("closed because no whole request came in time")
        self.abort()


async def _accept(
    listening: socket.socket,
    make_line: Callable[[], Line],
    connections: Connections,
    log: MinuteLog,
) -> None:
    """Accept one connection after another, each counted before the next is accepted."""
    listening.setblocking(False)
    loop = asyncio.get_running_loop()
    while True:
        try:
            accepted, _ = await loop.sock_accept(listening)
            await loop.connect_accepted_socket(make_line, accepted)
            if connections.are_full():
                await asyncio.sleep(_BREATH_S)
        except OSError as error:
            log.add(f"not taken: {error.strerror}")
            await asyncio.sleep(_RETRY_S)


@contextmanager
def _logged(log: MinuteLog) -> Iterator[None]:
    """Send uvicorn's log to ours: without a handler it would go to stderr."""
    theirs, handler = logging.getLogger("uvicorn.error"), _Handler(log)
    theirs.addHandler(handler)
    try:
        yield
    finally:
        theirs.removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, log: MinuteLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._log.add(_shown({"message": record.getMessage(), "exception": error}))


def _shown(context: dict[str, Any]) -> str:
    """Return asyncio's report of an error, in one line."""
    error = context.get("exception")
    message = str(context.get("message", "")).strip()
    return message if error is None else f"{message}: {error!r}"
