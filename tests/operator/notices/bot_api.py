"""A server on loopback that answers like Telegram's Bot API, and fails in every way asked."""

import asyncio
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, Router

TOKEN = "123456:the-token-of-the-tests"
_TAGS = {"b", "i", "u", "s", "code", "pre", "a"}


class _Markup(HTMLParser):
    """Refuses what Telegram refuses: unknown, open or crossed tags, a bare < or &."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[str] = []
        self.is_bad = False
        self.plain = ""

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.is_bad |= tag not in _TAGS
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.is_bad |= not self.open or self.open.pop() != tag

    def handle_data(self, data: str) -> None:
        self.is_bad |= "<" in data or "&" in data
        self.plain += data

    def handle_entityref(self, name: str) -> None:
        self.is_bad |= name not in {"lt", "gt", "amp", "quot"}
        self.plain += {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}.get(name, "")

    def handle_charref(self, name: str) -> None:
        self.plain += chr(int(name[1:], 16) if name[0] in "xX" else int(name))


def plain_of(markup: str) -> str | None:
    """Return the text that a reader sees; None where the markup is bad."""
    parser = _Markup()
    parser.feed(markup)
    parser.close()
    return None if parser.is_bad or parser.open else parser.plain


@dataclass
class Sent:
    chat_id: str
    text: str
    is_bold: bool
    keyboard: Any
    at_s: float


@dataclass
class BotApi:
    """What the server was asked, and how it answers next."""

    url: str = ""
    sent: list[Sent] = field(default_factory=list)
    attempts: int = 0
    faults: deque[str] = field(default_factory=deque)
    """Answers of the next sendMessage calls: 429, 400 (to markup), 401, 403, 502, hang, cut,
    processed-502 (done, and answered by 502)."""
    updates: list[dict[str, Any]] = field(default_factory=list)
    is_refusing: bool = False
    """The token is taken no more, whatever is asked."""
    refusals: int = 0
    """How often the token was refused."""
    busy_s: int = 0
    """Sent as retry_after with the next answer to getUpdates."""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """What was asked beside messages and updates."""
    refused_calls: set[str] = field(default_factory=set)
    """Which of them are answered by 400."""
    asked_s: list[float] = field(default_factory=list)
    """When getUpdates was called."""
    changed: threading.Condition = field(default_factory=threading.Condition)
    over: threading.Event = field(default_factory=threading.Event)

    def wait_for(self, is_so: Any, timeout_s: float = 30.0) -> None:
        with self.changed:
            assert self.changed.wait_for(is_so, timeout_s), (self.attempts, self.sent)

    def texts(self) -> list[str]:
        return [sent.text for sent in self.sent]

    def write(self, text: str, chat: int = 77, age_s: float = 0.0, user: int | None = None) -> None:
        """Let somebody write to the bot."""
        message = {
            "message_id": 1,
            "date": int(time.time() - age_s),
            "chat": _chat(chat),
            "from": {"id": user or chat, "is_bot": False, "first_name": "A"},
            "text": text,
        }
        self._update({"message": message})

    def press(self, data: str, chat: int = 77, user: int | None = None) -> None:
        """Let somebody press a button."""
        person = {"id": user or chat, "is_bot": False, "first_name": "A"}
        message = {
            "message_id": 2,
            "date": int(time.time()),
            "chat": _chat(chat),
        }
        query = {"id": "q", "from": person, "chat_instance": "c", "message": message, "data": data}
        self._update({"callback_query": query})

    def send_odd(self, update: dict[str, Any]) -> None:
        """Let the server send an update that is none."""
        self._update(update)

    def _update(self, update: dict[str, Any]) -> None:
        with self.changed:
            self.updates.append({"update_id": len(self.updates) + 1, **update})
            self.changed.notify_all()

    async def answer(self, request: Request) -> Response:
        if request.path_params["token"] != TOKEN or self.is_refusing:
            with self.changed:
                self.refusals += 1
                self.changed.notify_all()
            return _refusal(401, "Unauthorized")
        values = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        match request.path_params["method"]:
            case "sendMessage":
                return await self._send(values)
            case "getUpdates":
                return await self._get_updates(values)
            case method:
                with self.changed:
                    self.calls.append((method, values))
                    self.changed.notify_all()
                if method in self.refused_calls:
                    return _refusal(400, "Bad Request: not now")
                return JSONResponse({"ok": True, "result": True})

    async def _send(self, values: dict[str, Any]) -> Response:
        with self.changed:
            self.attempts += 1
            fault = self.faults.popleft() if self.faults else ""
            self.changed.notify_all()
        refused = await self._refused(fault)
        return self._take(values, fault) if refused is None else refused

    async def _refused(self, fault: str) -> Response | None:
        match fault:
            case "429":
                more = {"parameters": {"retry_after": 1}}
                return _refusal(429, "Too Many Requests: retry after 1", more)
            case "400":
                return _refusal(400, "Bad Request: can't parse entities")
            case "401" | "403":
                return _refusal(int(fault), "Unauthorized" if fault == "401" else "Forbidden")
            case "502":
                return PlainTextResponse("<html>Bad Gateway</html>", 502)
            case "hang" | "cut":
                await asyncio.to_thread(self.over.wait, 20 if fault == "hang" else 0)
                raise _CutError
            case _:
                return None

    def _take(self, values: dict[str, Any], fault: str) -> Response:
        is_html = values.get("parse_mode") == "HTML"
        text = plain_of(values["text"]) if is_html else values["text"]
        if text is None or not text.strip() or len(text) > 4096:
            return _refusal(400, "Bad Request: can't parse entities")
        chat_id = values["chat_id"]
        sent = Sent(chat_id, text, is_html, values.get("reply_markup"), time.monotonic())
        with self.changed:
            self.sent.append(sent)
            self.changed.notify_all()
        if fault == "processed-502":
            return PlainTextResponse("<html>Bad Gateway</html>", 502)
        chat = {"id": 77, "type": "private"}
        result = {"message_id": len(self.sent), "date": 0, "chat": chat, "text": text}
        return JSONResponse({"ok": True, "result": result})

    async def _get_updates(self, values: dict[str, Any]) -> Response:
        offset = int(values.get("offset", 0))
        self.asked_s.append(time.monotonic())
        if self.busy_s:
            more, self.busy_s = {"parameters": {"retry_after": self.busy_s}}, 0
            return _refusal(429, "Too Many Requests", more)

        def new() -> list[dict[str, Any]]:
            return [update for update in self.updates if update["update_id"] >= offset]

        def wait() -> list[dict[str, Any]]:
            with self.changed:
                self.changed.wait_for(lambda: new() or self.over.is_set(), 1.0)
                return new()

        return JSONResponse({"ok": True, "result": await asyncio.to_thread(wait)})


def _chat(number: int) -> dict[str, Any]:
    if number > 0:
        return {"id": number, "type": "private"}
    return {"id": number, "type": "supergroup", "title": "desk"}


class _CutError(Exception):
    pass


def _refusal(code: int, description: str, more: dict[str, Any] | None = None) -> JSONResponse:
    body = {"ok": False, "error_code": code, "description": description, **(more or {})}
    return JSONResponse(body, code)


class _Cutting:
    """Ends the connection without an answer where the application asks for it."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._app(scope, receive, send)
        except _CutError:
            # Uvicorn closes the connection of an answer that promises more than it holds.
            headers = [(b"content-length", b"1000")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"{", "more_body": True})
            raise


@contextmanager
def running_bot_api() -> Iterator[BotApi]:
    api = BotApi()
    route = Route("/bot{token}/{method}", api.answer, methods=["POST"])
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        _Cutting(Router([route])),
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield api
    finally:
        api.over.set()
        server.should_exit = True
        thread.join(10)
        listener.close()


def has_secret(text: str) -> bool:
    """Tell whether a text shows the token."""
    return bool(re.search(re.escape(TOKEN.partition(":")[2]), text))
