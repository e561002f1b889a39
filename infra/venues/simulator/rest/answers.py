"""REST: the envelope around answers, and the faults of requests."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

from infra.venues.simulator.core import Simulator
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.faults.spec import FaultSpec
from infra.venues.simulator.refusals import RefusedError
from infra.venues.simulator.rest.endpoints import ENDPOINTS, Endpoint
from infra.venues.simulator.rest.outcome import Outcome
from infra.venues.simulator.rest.params import Params

_TOO_MANY = 10006
_TEXTS = {
    10000: "Server Timeout",
    10002: "invalid request, please check your server timestamp or recv_window param.",
    _TOO_MANY: "Too many visits. Exceeded the API Rate Limit.",
    10016: "System error. Please try again later.",
}
_OTHER_CATEGORIES = frozenset({"spot", "inverse", "option"})
_TOO_FREQUENT = "access too frequent"


class _LimitedError(RefusedError):
    """A group's rate limit was exceeded."""

    def __init__(self, limit: int, wait_s: float) -> None:
        super().__init__(_TOO_MANY, _TEXTS[_TOO_MANY])
        self.limit = limit
        self.wait_s = wait_s


class Rest:
    """Answers the requests under /v5."""

    def __init__(self, core: Simulator) -> None:
        self._core = core

    async def answer(self, request: Request) -> Response:
        """Answer one request, or fail as a fault demands."""
        core, path = self._core, request.url.path
        peer = (request.client.host, request.client.port) if request.client else None
        body = await request.body()
        ahead = core.faults.take(Kind.CLOCK_OFFSET)
        core.clock.offset_ms = ahead.ms if ahead else 0
        if not core.clock.is_lockstep and core.limits.is_banned(peer[0] if peer else ""):
            return Response(_TOO_FREQUENT, 403)
        if core.faults.take(Kind.REQUEST_LOST, path=path):
            return await self._lose(peer)
        broken = self._broken(path)
        if broken is not None and not broken.processed:
            return self._instead(broken)
        answer = self._handle(request, body)
        return self._instead(broken) if broken else await self._send(answer, path, peer)

    def _broken(self, path: str) -> FaultSpec | None:
        faults = self._core.faults
        return faults.take(Kind.HTTP_STATUS, path=path) or faults.take(Kind.RET_CODE, path=path)

    def _instead(self, fault: FaultSpec) -> Response:
        """Return what a fault sends instead of the answer."""
        if fault.kind is Kind.HTTP_STATUS:
            text = _TOO_FREQUENT if fault.status == 403 else ""  # noqa: PLR2004
            after_s = fault.retry_after_s
            headers = {} if after_s is None else {"Retry-After": str(after_s)}
            return Response(text, fault.status, headers=headers)
        return self._envelope(self.outcome_of(fault))

    def outcome_of(self, fault: FaultSpec) -> Outcome:
        """Return the refusal that a fault sends instead of an answer."""
        headers = {}
        if fault.code == _TOO_MANY:
            reset_ms = self._core.clock.told_ms() + int(fault.seconds * 1000)
            headers = self._limit_headers(10, 0, reset_ms)
        text = fault.text or _TEXTS.get(fault.code, "System error. Please try again later.")
        return Outcome({}, code=fault.code, text=text, headers=headers)

    async def _send(self, answer: Response, path: str, peer: tuple[str, int] | None) -> Response:
        """Return the answer to an executed request: as it is, late, spoiled, or none."""
        faults = self._core.faults
        lost = faults.take(Kind.ANSWER_LOST, path=path)
        if lost is not None:
            await self._core.tasks.pause(lost.hang_s)
            return await self._lose(peer)
        late = faults.take(Kind.ANSWER_LATE, path=path)
        if late is not None:
            await self._core.tasks.pause(late.seconds)
        if faults.take(Kind.UNREADABLE_BODY, path=path):
            return Response("<html><body>upstream error</body></html>", media_type="text/html")
        if faults.take(Kind.ODD_ANSWER, path=path):
            odd = faults.with_an_oddity(orjson.loads(answer.body))
            return Response(orjson.dumps(odd), media_type="application/json")
        return answer

    def _handle(self, request: Request, body: bytes) -> Response:
        path = request.url.path
        endpoint = ENDPOINTS.get(path)
        if endpoint is None or endpoint.method != request.method:
            return self._envelope(Outcome({}, code=10017, text="Route not found."), status=404)
        is_get = endpoint.method == "GET"
        raw = request.url.query if is_get else body.decode(errors="replace")
        try:
            if endpoint.limit:
                payload = _raw_query(request) if is_get else raw
                self._core.gate.check(request.headers, payload)
            params = Params(dict(parse_qsl(raw)) if is_get else _json(body))
        except RefusedError as refused:
            return self._envelope(Outcome({}, code=refused.code, text=refused.text))
        return self._envelope(self.run(path, endpoint, params))

    def run(self, path: str, endpoint: Endpoint, params: Params) -> Outcome:
        """Return the outcome of an authorized request within the limits."""
        core, headers = self._core, {}
        try:
            if endpoint.limit:
                headers = self._use(path, endpoint.limit)
            made = _result(core, endpoint, params)
        except _LimitedError as limited:
            # Scaled, as clients wait by the exchange's clock.
            wait_ms = int(limited.wait_s * 1000 * (core.clock.speed or 1.0)) + 1
            headers = self._limit_headers(limited.limit, 0, core.clock.told_ms() + wait_ms)
            return Outcome({}, code=limited.code, text=limited.text, headers=headers)
        except RefusedError as refused:
            return Outcome(refused.result, code=refused.code, text=refused.text, headers=headers)
        finally:
            core.chronicle.commit()
        return made._replace(headers=headers)

    def _use(self, group: str, limit: int) -> dict[str, str]:
        core = self._core
        if core.clock.is_lockstep:
            left, wait_s = limit - 1, 0.0
        else:
            left, wait_s = core.limits.take(group, limit)
        if left < 0:
            raise _LimitedError(limit, wait_s)
        return self._limit_headers(limit, left, core.clock.told_ms())

    @staticmethod
    def _limit_headers(limit: int, left: int, reset_ms: int) -> dict[str, str]:
        return {
            "X-Bapi-Limit": str(limit),
            "X-Bapi-Limit-Status": str(left),
            "X-Bapi-Limit-Reset-Timestamp": str(reset_ms),
        }

    async def _lose(self, peer: tuple[str, int] | None) -> Response:
        self._core.wire.drop(peer)
        await asyncio.sleep(0)
        return Response()

    def _envelope(self, outcome: Outcome, *, status: int = 200) -> Response:
        content = {
            "retCode": outcome.code,
            "retMsg": outcome.text,
            "result": outcome.result,
            "retExtInfo": outcome.extra,
            "time": self._core.clock.told_ms(),
        }
        written = orjson.dumps(content)
        return Response(written, status, headers=outcome.headers, media_type="application/json")


def _result(core: Simulator, endpoint: Endpoint, params: Params) -> Outcome:
    category = params.text("category")
    if endpoint.lists and category in _OTHER_CATEGORIES:
        return Outcome({"list": [], "nextPageCursor": "", "category": category})
    made = endpoint.handle(core, params)
    return made if isinstance(made, Outcome) else Outcome(made)


def _raw_query(request: Request) -> str:
    raw: bytes = request.scope["query_string"]
    return raw.decode("latin-1")


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body or b"{}")
    except ValueError as error:
        raise RefusedError(10001, "Request parameter error") from error
    if not isinstance(found, dict):
        raise RefusedError(10001, "Request parameter error")
    return found
