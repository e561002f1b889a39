"""Records all requests and answers of clients, without keys and signatures."""

import itertools
import time
from pathlib import Path
from typing import Any

import orjson

from domain.errors import ConfigError

NOTE = "simulator.note"
"""Key in a WebSocket's scope for the callback that records messages sent past ASGI."""
_KEPT_HEADERS = (b"content-type", b"x-bapi-")


class Recorder:
    """An ASGI application that wraps another one and records its traffic in a file.

    A line is a JSON object: `t`, ms since the start; for a request `method`, `path`, `query`,
    `body`, `status`, `headers`, `answer`; for a stream `stream`, its number, with `open`, a path,
    or `in` or `out`, a message.
    """

    def __init__(self, app: Any, path: Path) -> None:
        """Record to a file, replacing its contents.

        Raises:
            ConfigError: it cannot be written.
        """
        self._app = app
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
        self._started_s = time.monotonic()
        self._numbers = itertools.count(1)

    def close(self) -> None:
        self._file.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request or stream."""
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._stream(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Any, receive: Any, send: Any) -> None:
        asked, answered = bytearray(), bytearray()
        head: dict[str, Any] = {"status": 0, "headers": []}

        async def hear() -> Any:
            message = await receive()
            asked.extend(message.get("body", b""))
            return message

        async def tell(message: Any) -> None:
            if message["type"] == "http.response.start":
                head.update(status=message["status"], headers=message.get("headers", []))
            answered.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, hear, tell)
        if scope["path"].startswith("/sim/"):
            return
        self._write(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            body=asked.decode(errors="replace"),
            status=head["status"],
            headers=_kept(head["headers"]),
            answer=answered.decode(errors="replace"),
        )

    async def _stream(self, scope: Any, receive: Any, send: Any) -> None:
        number = next(self._numbers)
        self._write(stream=number, open=scope["path"])

        async def hear() -> Any:
            message = await receive()
            if message["type"] == "websocket.receive":
                self._write(stream=number, **{"in": _without_keys(message.get("text") or "")})
            return message

        async def tell(message: Any) -> None:
            if message["type"] == "websocket.send":
                self._write(stream=number, out=message.get("text") or "")
            await send(message)

        def note(message: bytes) -> None:
            self._write(stream=number, out=message.decode())

        if not scope["path"].startswith("/sim/"):
            scope[NOTE] = note
            await self._app(scope, hear, tell)
        else:
            await self._app(scope, receive, send)

    def _write(self, **line: Any) -> None:
        if not self._file.closed:
            now_ms = int((time.monotonic() - self._started_s) * 1000)
            self._file.write(orjson.dumps({"t": now_ms, **line}) + b"\n")
            self._file.flush()


def _kept(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {
        name.decode(): value.decode("latin-1")
        for name, value in headers
        if name.lower().startswith(_KEPT_HEADERS)
    }


def _without_keys(text: str) -> str:
    try:
        found = orjson.loads(text)
    except ValueError:
        return text
    if not isinstance(found, dict) or found.get("op") != "auth":
        return text
    return orjson.dumps({**found, "args": []}).decode()
