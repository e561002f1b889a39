"""Order entry by WebSocket: the requests of REST, one message each, in one session."""

import itertools
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from infra.venues.simulator.core import Simulator
from infra.venues.simulator.refusals import RefusedError
from infra.venues.simulator.rest.answers import Rest
from infra.venues.simulator.rest.endpoints import ENDPOINTS
from infra.venues.simulator.rest.outcome import Outcome
from infra.venues.simulator.rest.params import Params
from infra.venues.simulator.shapes.text import Json

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
        """Let REST do what is asked."""
        self._core = core
        self._rest = rest
        self._numbers = itertools.count(1)

    async def serve(self, socket: WebSocket) -> None:
        """Talk with a client until it leaves."""
        await socket.accept()
        session = _Session(self._core, self._rest, f"sim-trade-{next(self._numbers)}")
        while True:
            try:
                text = await socket.receive_text()
            except (WebSocketDisconnect, RuntimeError, KeyError):
                return
            await socket.send_text(orjson.dumps(session.answer(text)).decode())


class _Session:
    """One connection: who it is, and which request ids it has used."""

    def __init__(self, core: Simulator, rest: Rest, number: str) -> None:
        self._core = core
        self._rest = rest
        self._number = number
        self._is_authentic = False
        self._used: set[str] = set()

    def answer(self, text: str) -> Json:
        try:
            request = orjson.loads(text)
        except ValueError:
            request = None
        if not isinstance(request, dict):
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
        return self._done(request, outcome)

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

    def _done(self, request: Json, outcome: Outcome) -> Json:
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
