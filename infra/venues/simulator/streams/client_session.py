"""The session of one client, from connecting to disconnecting."""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from infra.venues.simulator.clock import Clock
from infra.venues.simulator.faults.book import FaultBook
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.gate import Gate
from infra.venues.simulator.streams.hub import Hub
from infra.venues.simulator.streams.market_publisher import MarketPublisher
from infra.venues.simulator.streams.stream import PUBLIC, STATUS, Stream
from infra.venues.simulator.wire import Wire

_PRIVATE_TOPICS = frozenset(
    {"wallet", "greeks"}
    | {
        f"{topic}{suffix}"
        for topic in ("order", "execution", "execution.fast", "position")
        for suffix in ("", ".linear", ".spot", ".inverse", ".option")
    }
)
"""Known private topics; those of categories other than linear never have messages."""
_WATCHED = frozenset({"dcp.future", "dcp.spot", "dcp.option"})
_IDLE_S = 600.0


class ClientSession:
    """Answers pings, logins and subscriptions of all clients."""

    def __init__(
        self,
        hub: Hub,
        gate: Gate,
        clock: Clock,
        faults: FaultBook,
        wire: Wire,
        publisher: MarketPublisher,
        seed: int,
    ) -> None:
        """Serve the clients of a hub; the seed is for the delays of answers."""
        self._hub = hub
        self._gate = gate
        self._clock = clock
        self._faults = faults
        self._wire = wire
        self._publisher = publisher
        self._chance = random.Random(f"{seed}/reception")  # noqa: S311 - delays, not secrets
        self._numbers = itertools.count(1)

    async def serve(self, socket: WebSocket) -> None:
        """Serve a client until it disconnects."""
        refused = self._faults.take(Kind.HTTP_STATUS, path=socket.url.path)
        if refused is not None:
            await socket.send_denial_response(Response(status_code=refused.status))
            return
        await socket.accept()
        stream = Stream(socket, next(self._numbers), self._wire)
        self._hub.join(stream)
        try:
            await self._listen(stream)
        finally:
            self._hub.leave(stream)

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
        for topic in topics:
            first = self._publisher.first(topic, self._clock.told_ms())
            if first is not None:
                self._hub.deliver(stream, topic, orjson.dumps(first))
        self._hub.listen(stream, topics)

    async def _unsubscribe(self, stream: Stream, request: dict[str, Any]) -> None:
        topics = {str(topic) for topic in request.get("args") or []}
        self._hub.forget(stream, topics)
        stream.topics -= topics
        await self._pause()
        self._acknowledge(stream, request)

    async def _pause(self) -> None:
        # As the network does; pybit's streams die if an answer overtakes their own bookkeeping.
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
        wanted = stream.topics | set(topics)
        if "order" in wanted and any(topic.startswith("order.") for topic in wanted):
            return "error:topics order and order.linear may not be mixed"
        return ""

    def _exists(self, stream: Stream, topic: str) -> bool:
        if stream.is_private:
            return topic in _PRIVATE_TOPICS or topic in _WATCHED
        if stream.path == STATUS:
            return topic == "system.status"
        found = self._publisher.topic(topic) if stream.path == PUBLIC else None
        is_delisted = found and self._faults.take(Kind.DELISTED, symbol=found.symbol) is not None
        return found is not None and not is_delisted

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


def _idle_s(asked: str) -> float:
    number = asked.removesuffix("s").removesuffix("m")
    if not number.isdigit():
        return _IDLE_S
    return float(number) * (60 if asked.endswith("m") else 1)
