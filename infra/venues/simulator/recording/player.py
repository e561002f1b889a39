"""Plays recorded traffic back to clients that make the same requests."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from domain.errors import ConfigError
from infra.venues.simulator.wire import Wire

_WAITS_FOR = frozenset({"auth", "subscribe", "unsubscribe"})
"""Operations that a client must repeat before replies follow; pings may come at any time."""


class _Line(BaseModel):
    """A line of a recording."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    t: Annotated[int, Field(ge=0)]
    method: str = ""
    path: str = ""
    query: str = ""
    body: str = ""
    status: Annotated[int, Field(ge=0, le=599)] = 0
    headers: dict[str, str] = {}
    answer: str = ""
    stream: int = 0
    open: str | None = None
    heard: str | None = Field(default=None, alias="in")
    out: str | None = None


_LINE = TypeAdapter(_Line)


class Player:
    """Answers from a recording.

    The same request gets its recorded answers, one after another, and then the last one again; a
    different request gets those of its path; a path that was never requested gets 404. The n-th
    stream of a path is the n-th recorded one, at its own pace, but never ahead of the client's
    requests.
    """

    def __init__(self, path: Path) -> None:
        """Read a recording.

        Raises:
            ConfigError: the file is not a recording.
        """
        self._answers: dict[tuple[str, ...], deque[_Line]] = defaultdict(deque)
        self._sessions: dict[int, list[_Line]] = defaultdict(list)
        self._waiting: dict[str, deque[int]] = defaultdict(deque)
        for number, line in enumerate(_lines(path), 1):
            try:
                self._take(_LINE.validate_json(line))
            except ValidationError as error:
                text = f"{path}: line {number}: expected recorded traffic, found something else"
                raise ConfigError(text) from error

    async def serve(self, port: int, until: Callable[[int], Awaitable[object]]) -> None:
        """Serve the recording until an awaitable, which is given the port, is done.

        Raises:
            ConfigError: the port is taken.
        """
        wire = Wire(port)
        routes = [
            WebSocketRoute("/{path:path}", self.play),
            Route("/{path:path}", self.answer, methods=["GET", "POST", "DELETE"]),
        ]
        await wire.open(Starlette(routes=routes))
        try:
            await until(wire.port)
        finally:
            await wire.close()

    async def answer(self, request: Request) -> Response:
        body = (await request.body()).decode(errors="replace")
        path = request.url.path
        exact = (request.method, path, request.url.query, body)
        found = self._answers.get(exact) or self._answers.get((request.method, path))
        if not found:
            return Response("not in the recording", 404)
        line = found.popleft() if len(found) > 1 else found[0]
        return Response(line.answer, line.status or 200, headers=line.headers)

    async def play(self, socket: WebSocket) -> None:
        """Play a recorded stream to a client."""
        waiting = self._waiting.get(socket.url.path)
        if not waiting:
            await socket.send_denial_response(Response("not in the recording", 404))
            return
        lines = self._sessions[waiting.popleft() if len(waiting) > 1 else waiting[0]]
        await socket.accept()
        asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        telling = asyncio.create_task(_tell(socket, lines, asked))
        with suppress(WebSocketDisconnect, RuntimeError, KeyError):
            while True:
                request = orjson.loads(await socket.receive_text())
                if request.get("op") == "ping":
                    await socket.send_text(_pong(request))
                else:
                    asked.put_nowait(request)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)

    def _take(self, line: _Line) -> None:
        if not line.stream:
            self._answers[line.method, line.path, line.query, line.body].append(line)
            self._answers[line.method, line.path].append(line)
        elif line.open is not None:
            self._waiting[line.open].append(line.stream)
        else:
            self._sessions[line.stream].append(line)


async def _tell(
    socket: WebSocket, lines: list[_Line], asked: asyncio.Queue[dict[str, Any]]
) -> None:
    request: dict[str, Any] = {}
    last_ms = lines[0].t if lines else 0
    for line in lines:
        if line.heard is not None:
            if _op(line.heard) in _WAITS_FOR or _op(line.heard).startswith("order."):
                request = await asked.get()
        elif line.out is not None and _op(line.out) not in {"ping", "pong"}:
            await asyncio.sleep((line.t - last_ms) / 1000)
            await socket.send_text(_with_id(line.out, request))
        last_ms = line.t


def _op(text: str) -> str:
    try:
        found = orjson.loads(text)
    except ValueError:
        return ""
    return str(found.get("op", "")) if isinstance(found, dict) else ""


def _with_id(text: str, request: dict[str, Any]) -> str:
    """Return an answer with the id of the request that it now answers."""
    try:
        found = orjson.loads(text)
    except ValueError:
        return text
    if not isinstance(found, dict):
        return text
    names = [name for name in ("req_id", "reqId") if name in found and name in request]
    if not names:
        return text
    return orjson.dumps({**found, **{name: request[name] for name in names}}).decode()


def _pong(request: dict[str, Any]) -> str:
    number = str(request.get("req_id", ""))
    return orjson.dumps(
        {"success": True, "ret_msg": "pong", "req_id": number, "op": "ping"}
    ).decode()


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be opened: {error.strerror}") from error
