"""Order entry by WebSocket: the REST requests, one message each, in one session."""

import itertools
from typing import Any

import orjson
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from infra.venues.simulator.core import Simulator
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.faults.spec import FaultSpec
from infra.venues.simulator.refusals import RefusedError
from infra.venues.simulator.rest.answers import Rest
from infra.venues.simulator.rest.endpoints import ENDPOINTS
from infra.venues.simulator.rest.outcome import Outcome
from infra.venues.simulator.rest.params import Params
from infra.venues.simulator.shapes.text import Json
from infra.venues.simulator.wire import Peer

PATH = "/v5/trade"
_PATHS = {
    f"order.{what}": f"/v5/order/{what}"
    for what in ("create", "amend", "cancel", "create-batch", "amend-batch", "cancel-batch")
}
_UNKNOWN_OP, _DUPLICATE_ID, _REPEATED_AUTH = 10404, 20006, 20001
_LONGEST_ID = 36


class TradeStream:
    """Answers the clients of `/v5/trade`."""

    def __init__(self, core: Simulator, rest: Rest) -> None:
        """Execute requests through REST."""
        self._core = core
        self._rest = rest
        self._numbers = itertools.count(1)

    async def serve(self, socket: WebSocket) -> None:
        """Serve a client until it disconnects."""
        refused = self._core.faults.take(Kind.HTTP_STATUS, path=PATH)
        if refused is not None:
            await socket.send_denial_response(Response(status_code=refused.status))
            return
        await socket.accept()
        peer = (socket.client.host, socket.client.port) if socket.client else None
        self._core.hub.order_entries[peer] = PATH
        try:
            await self._listen(socket, peer)
        finally:
            self._core.hub.order_entries.pop(peer, None)

    async def _listen(self, socket: WebSocket, peer: Peer | None) -> None:
        session = _Session(self._core, self._rest, f"sim-trade-{next(self._numbers)}")
        while True:
            try:
                request = _read(await socket.receive_text())
                answer = await self._reply(session, request)
                if answer is None:
                    self._core.wire.drop(peer)
                else:
                    await socket.send_text(answer.decode())
            except (WebSocketDisconnect, RuntimeError, KeyError):
                return

    async def _reply(self, session: "_Session", request: Json | None) -> bytes | None:
        """Return the reply to a request, possibly spoiled by a fault; None: drop the connection."""
        path = _PATHS.get(str((request or {}).get("op")))
        if path is None or request is None:
            return orjson.dumps(session.answer(request))
        if self._take(Kind.REQUEST_LOST, path):
            return None
        broken = self._take(Kind.RET_CODE, path)
        answer = session.answer(request) if broken is None or broken.processed else {}
        if broken is not None:
            return orjson.dumps(session.done(request, self._rest.outcome_of(broken)))
        return await self._sent(answer, path)

    async def _sent(self, answer: Json, path: str) -> bytes | None:
        lost, faults = self._take(Kind.ANSWER_LOST, path), self._core.faults
        if lost is not None:
            await self._core.tasks.pause(lost.hang_s)
            return None
        late = self._take(Kind.ANSWER_LATE, path)
        if late is not None:
            await self._core.tasks.pause(late.seconds)
        if self._take(Kind.UNREADABLE_BODY, path):
            return b"<html><body>upstream error</body></html>"
        is_odd = self._take(Kind.ODD_ANSWER, path) is not None
        return orjson.dumps(faults.with_an_oddity(answer) if is_odd else answer)

    def _take(self, kind: Kind, path: str) -> FaultSpec | None:
        # A fault may name the stream, or the request, whichever way it arrives.
        faults = self._core.faults
        return faults.take(kind, path=PATH) or faults.take(kind, path=path)


class _Session:
    """One connection: who it is, and which request ids it has used."""

    def __init__(self, core: Simulator, rest: Rest, number: str) -> None:
        self._core = core
        self._rest = rest
        self._number = number
        self._is_authentic = False
        self._used: set[str] = set()

    def answer(self, request: Json | None) -> Json:
        if request is None:
            return self._envelope({}, 10001, "Request parameter error")
        op = str(request.get("op"))
        if op == "ping":
            made = self._envelope({**request, "op": "pong"}, 0, "OK")
            return {**made, "data": [str(self._core.clock.told_ms())]}
        if op == "auth":
            return self._authenticate(request)
        try:
            outcome = self._run(op, request)
        except RefusedError as refused:
            outcome = Outcome({}, code=refused.code, text=refused.text)
        return self.done(request, outcome)

    def _authenticate(self, request: Json) -> Json:
        if self._is_authentic:
            return self._envelope(request, _REPEATED_AUTH, "Repeat auth")
        parts = [str(part) for part in request.get("args") or []]
        if len(parts) != 3:  # noqa: PLR2004 - key, time, signature
            return self._envelope(request, 10001, "Param error")
        self._is_authentic = self._core.gate.is_authentic(*parts)
        if not self._is_authentic:
            return self._envelope(request, 10004, "Invalid sign")
        return self._envelope(request, 0, "OK")

    def _run(self, op: str, request: Json) -> Outcome:
        path = _PATHS.get(op)
        if path is None:
            raise RefusedError(_UNKNOWN_OP, f"op {op[:_LONGEST_ID]} is not supported")
        if not self._is_authentic:
            raise RefusedError(10005, "Permission denied, please check your API key permissions.")
        self._check_id(str(request.get("reqId", "")))
        self._check_time(request.get("header"))
        args = request.get("args")
        if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], dict):
            raise RefusedError(10001, "Request parameter error")
        if args[0].get("category") != "linear":
            raise RefusedError(_UNKNOWN_OP, "category is not correct/supported")
        return self._rest.run(path, ENDPOINTS[path], Params(args[0]))

    def _check_id(self, number: str) -> None:
        if len(number) > _LONGEST_ID:
            raise RefusedError(10001, "reqId is too long")
        if number in self._used:
            raise RefusedError(_DUPLICATE_ID, "Duplicate reqId")
        if number:
            self._used.add(number)

    def _check_time(self, header: Any) -> None:
        named = header if isinstance(header, dict) else {}
        stamp, window = (
            str(named.get(f"X-BAPI-{name}", "")) for name in ("TIMESTAMP", "RECV-WINDOW")
        )
        self._core.gate.check_time(stamp, window)

    def done(self, request: Json, outcome: Outcome) -> Json:
        made = self._envelope(request, outcome.code, outcome.text)
        now = str(self._core.clock.told_ms())
        return {
            **made,
            "data": outcome.result,
            "retExtInfo": outcome.extra,
            "header": {**outcome.headers, "Traceid": f"{self._number}-{now}", "Timenow": now},
        }

    def _envelope(self, request: Json, code: int, text: str) -> Json:
        made = {"retCode": code, "retMsg": text, "op": str(request.get("op", ""))}
        if "reqId" in request:
            made = {"reqId": request["reqId"], **made}
        return {**made, "connId": self._number}


def _read(text: str) -> Json | None:
    try:
        found = orjson.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
