"""The WebSocket streams: who listens to what, and how messages reach them."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import orjson
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from infra.simulator.clock import Clock
from infra.simulator.faults import FaultBook, Kind
from infra.simulator.gate import Gate
from infra.simulator.wire import Peer, Wire

PUBLIC, PRIVATE = "/v5/public/linear", "/v5/private"
_PUBLIC_TOPICS = ("kline.5.", "tickers.", "publicTrade.", "orderbook.1.")
_PRIVATE_TOPICS = ("order", "execution", "position", "wallet")
_WAITING_AT_MOST = 5_000
"""Messages that wait for a client; one that reads no more is cut."""
_IDLE_S = 600.0


class Stream:
    """One client's WebSocket."""

    def __init__(self, socket: WebSocket, number: int) -> None:
        """Accept nothing yet."""
        self.socket = socket
        self.path = socket.url.path
        self.peer = (socket.client.host, socket.client.port) if socket.client else None
        self.conn_id = f"sim-{number}"
        self.topics: set[str] = set()
        self.is_private = self.path == PRIVATE
        self.is_authentic = False
        self.is_frozen = False
        self.held: bytes | None = None
        """A message that a fault lets come after the next one."""
        self._waiting: asyncio.Queue[bytes | int] = asyncio.Queue(_WAITING_AT_MOST)
        self._sent = 0
        self._asked = 0
        self._taken = 0

    def put(self, message: bytes) -> bool:
        """Let a message wait for the socket; False where the client reads no more."""
        if self.is_frozen:
            return True
        with contextlib.suppress(asyncio.QueueFull):
            self._waiting.put_nowait(message)
            self._sent += 1
            return True
        return False

    async def send_waiting(self, ping: Callable[[Peer | None, bytes], None]) -> None:
        """Send what waits, for ever."""
        while True:
            message = await self._waiting.get()
            if isinstance(message, int):
                ping(self.peer, str(message).encode())
            else:
                await self.socket.send_text(message.decode())

    # What the client has dealt with.

    @property
    def is_taken(self) -> bool:
        """Tell whether the client has dealt with all that was sent."""
        return self.is_frozen or self._taken == self._sent

    def ask_whether_taken(self) -> None:
        """Send a ping behind all messages: a client answers it once it is done with them.

        So does each that reads and works in one thread, as websocket-client does.
        """
        if not self.is_taken and self._asked != self._sent:
            with contextlib.suppress(asyncio.QueueFull):
                self._waiting.put_nowait(self._sent)
                self._asked = self._sent

    def on_pong(self, payload: bytes) -> None:
        """Take note of what the client has dealt with."""
        if payload.isdigit():
            self._taken = max(self._taken, int(payload))


class Hub:
    """All streams, and the messages for them."""

    def __init__(
        self,
        gate: Gate,
        clock: Clock,
        faults: FaultBook,
        wire: Wire,
        seed: int,
    ) -> None:
        """Start without clients."""
        self.streams: set[Stream] = set()
        self.has_changed = asyncio.Event()
        """Set at each new topic, at each answered ping and at the end of a stream."""
        self.snapshot: Callable[[str], Any] = lambda _: None
        """Returns the first message of a public topic; None: there is none."""
        self.symbols: frozenset[str] = frozenset()
        self._gate = gate
        self._clock = clock
        self._faults = faults
        self._wire = wire
        wire.on_pong = self._on_pong
        self._chance = random.Random(f"{seed}/streams")  # noqa: S311 - delays, not secrets
        self._numbers = itertools.count(1)

    # Messages to clients.

    def has_listeners(self, topic: str) -> bool:
        """Tell whether a message would be heard, so that none is made in vain."""
        return any(topic in stream.topics for stream in self.streams)

    def publish(self, topic: str, message: dict[str, Any], symbol: str = "") -> None:
        """Send a message to all who listen to its topic."""
        streams = [stream for stream in self.streams if topic in stream.topics]
        if not streams or self._faults.take(Kind.MUTE, topic=topic, symbol=symbol):
            return
        written = orjson.dumps(message)
        for stream in streams:
            self._deliver(stream, topic, written)

    def publish_private(self, topic: str, rows: list[dict[str, Any]]) -> None:
        """Send rows of a private topic, under the name by which each client asked for it."""
        now_ms = self._clock.told_ms()
        for name in (topic, f"{topic}.linear"):
            if self.has_listeners(name):
                number = f"592324{self._chance.getrandbits(64):016x}"
                self.publish(
                    name,
                    {"id": number, "topic": name, "creationTime": now_ms, "data": rows},
                )

    async def wait_taken(self) -> bool:
        """Wait until all clients have dealt with all that was sent.

        Returns:
            Whether there was anything that they had not dealt with.
        """
        is_news = False
        while any(not stream.is_taken for stream in self.streams):
            is_news = True
            self.has_changed.clear()
            for stream in self.streams:
                stream.ask_whether_taken()
            await self.has_changed.wait()
        return is_news

    async def wait_heard(self, topics: Collection[str]) -> None:
        """Wait until each of these topics has a client."""
        while not {topic for stream in self.streams for topic in stream.topics}.issuperset(topics):
            self.has_changed.clear()
            await self.has_changed.wait()

    def freeze(self, path: str) -> bool:
        """Let streams neither send nor answer any more; tells whether there was one."""
        found = self._at(path)
        for stream in found:
            stream.is_frozen = True
            self._wire.freeze(stream.peer)
        return bool(found)

    def cut(self, path: str) -> bool:
        """Cut streams; tells whether there was one."""
        found = self._at(path)
        for stream in found:
            self._wire.drop(stream.peer)
        return bool(found)

    def _at(self, path: str) -> list[Stream]:
        return [stream for stream in self.streams if stream.path.startswith(path)]

    def _on_pong(self, peer: Peer, payload: bytes) -> None:
        for stream in self.streams:
            if stream.peer == peer:
                stream.on_pong(payload)
        self.has_changed.set()

    def _deliver(self, stream: Stream, topic: str, written: bytes) -> None:
        if stream.held is None and self._faults.take(Kind.REORDER, topic=topic):
            stream.held = written
            return
        copies = 2 if self._faults.take(Kind.DUPLICATE, topic=topic) else 1
        written = self._spoiled(topic, written)
        late, stream.held = stream.held, None
        for message in [written] * copies + ([late] if late is not None else []):
            if not stream.put(message):
                self._wire.drop(stream.peer)

    def _spoiled(self, topic: str, written: bytes) -> bytes:
        """Return a message as it is sent: mostly as it is."""
        if self._faults.take(Kind.UNREADABLE_MESSAGE, topic=topic):
            return written[: len(written) // 2]
        if self._faults.take(Kind.WRONG_TYPES, topic=topic):
            message = orjson.loads(written)
            return orjson.dumps({**message, "data": _of_wrong_types(message["data"])})
        if self._faults.take(Kind.UNKNOWN_TOPIC, topic=topic):
            return orjson.dumps({**orjson.loads(written), "topic": f"unknown.{topic}"})
        return written

    # One client, from its first byte to its last.

    async def serve(self, socket: WebSocket) -> None:
        """Talk with a client until it leaves."""
        refused = self._faults.take(Kind.HTTP_STATUS, path=socket.url.path)
        if refused is not None:
            await socket.send_denial_response(Response(status_code=refused.status))
            return
        await socket.accept()
        stream = Stream(socket, next(self._numbers))
        self.streams.add(stream)
        sender = asyncio.create_task(stream.send_waiting(self._wire.ping))
        try:
            await self._listen(stream)
        finally:
            self.streams.discard(stream)
            self.has_changed.set()
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _listen(self, stream: Stream) -> None:
        idle_s = _idle_s(stream.socket.query_params.get("max_active_time", ""))
        while True:
            try:
                text = await asyncio.wait_for(stream.socket.receive_text(), idle_s)
            except TimeoutError:
                await stream.socket.close(1001)
                return
            except (WebSocketDisconnect, RuntimeError, KeyError):
                return
            try:
                request = orjson.loads(text)
            except ValueError:
                request = None
            if not isinstance(request, dict):
                stream.put(orjson.dumps({"success": False, "ret_msg": "Params Error", "op": ""}))
                continue
            await self._answer(stream, request)

    async def _answer(self, stream: Stream, request: dict[str, Any]) -> None:
        handlers: dict[str, Callable[[Stream, dict[str, Any]], Awaitable[None]]] = {
            "ping": self._pong,
            "auth": self._authenticate,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
        }
        handler = handlers.get(str(request.get("op")))
        if handler is None:
            self._acknowledge(stream, request, error="Invalid op")
            return
        await handler(stream, request)

    async def _pong(self, stream: Stream, request: dict[str, Any]) -> None:
        number = str(request.get("req_id", ""))
        answer: dict[str, Any]
        if stream.is_private:
            answer = {"req_id": number, "op": "pong", "args": [str(self._clock.told_ms())]}
        else:
            answer = {"success": True, "ret_msg": "pong", "req_id": number, "op": "ping"}
        stream.put(orjson.dumps({**answer, "conn_id": stream.conn_id}))

    async def _authenticate(self, stream: Stream, request: dict[str, Any]) -> None:
        parts = [str(part) for part in request.get("args") or []]
        stream.is_authentic = len(parts) == 3 and self._gate.is_authentic(*parts)  # noqa: PLR2004
        await self._pause()
        error = "" if stream.is_authentic else "Params Error: authentication failed"
        self._acknowledge(stream, request, error=error)

    async def _subscribe(self, stream: Stream, request: dict[str, Any]) -> None:
        topics = [str(topic) for topic in request.get("args") or []]
        await self._pause()
        error = self._why_not(stream, topics)
        self._acknowledge(stream, request, error=error)
        if error:
            return
        await self._pause()
        for topic in topics:
            first = self.snapshot(topic)
            if first is not None:
                self._deliver(stream, topic, orjson.dumps(first))
            stream.topics.add(topic)
        self.has_changed.set()

    async def _unsubscribe(self, stream: Stream, request: dict[str, Any]) -> None:
        stream.topics -= {str(topic) for topic in request.get("args") or []}
        await self._pause()
        self._acknowledge(stream, request)

    async def _pause(self) -> None:
        # As the network does; pybit's streams die where an answer overtakes its own bookkeeping.
        if not self._clock.is_lockstep and not self._faults.take(Kind.INSTANT):
            await asyncio.sleep(self._chance.uniform(0.005, 0.020))

    def _why_not(self, stream: Stream, topics: list[str]) -> str:
        if stream.is_private and not stream.is_authentic:
            return "Request not authorized"
        if not topics:
            return "Params Error"
        unknown = [topic for topic in topics if not self._exists(stream, topic)]
        if unknown:
            return f"error:handler not found,topic:{unknown[0]}"
        if {"order", "order.linear"} <= stream.topics | set(topics):
            return "error:topics order and order.linear may not be mixed"
        return ""

    def _exists(self, stream: Stream, topic: str) -> bool:
        if stream.is_private:
            return topic.removesuffix(".linear") in _PRIVATE_TOPICS
        known = next((name for name in _PUBLIC_TOPICS if topic.startswith(name)), None)
        return known is not None and topic.removeprefix(known) in self.symbols

    def _acknowledge(self, stream: Stream, request: dict[str, Any], error: str = "") -> None:
        answer = {
            "success": not error,
            "ret_msg": error,
            "conn_id": stream.conn_id,
            "req_id": request.get("req_id", ""),
            "op": str(request.get("op", "")),
        }
        if request.get("op") == "auth":
            del answer["req_id"]
        stream.put(orjson.dumps(answer))


def _of_wrong_types(data: Any) -> Any:
    if isinstance(data, list):
        return [_of_wrong_types(row) for row in data]
    return {name: [value] for name, value in data.items()} if isinstance(data, dict) else [data]


def _idle_s(asked: str) -> float:
    number = asked.removesuffix("s").removesuffix("m")
    if not number.isdigit():
        return _IDLE_S
    return float(number) * (60 if asked.endswith("m") else 1)
