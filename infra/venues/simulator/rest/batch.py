"""Several orders in one request: each is accepted or refused on its own."""

from collections.abc import Callable
from typing import Any

from infra.venues.simulator import refusals
from infra.venues.simulator.core import Simulator
from infra.venues.simulator.refusals import RefusedError
from infra.venues.simulator.rest import trade
from infra.venues.simulator.rest.outcome import Outcome
from infra.venues.simulator.rest.params import Params
from infra.venues.simulator.shapes.text import Json

_MOST = 20


def create(core: Simulator, params: Params) -> Outcome:
    """POST /v5/order/create-batch."""

    def one(row: Params) -> Json:
        return {**trade.create(core, row), "createAt": str(core.clock.told_ms())}

    return _each(params, one, {"createAt": ""})


def amend(core: Simulator, params: Params) -> Outcome:
    """POST /v5/order/amend-batch."""
    return _each(params, lambda row: trade.amend(core, row), {})


def cancel(core: Simulator, params: Params) -> Outcome:
    """POST /v5/order/cancel-batch."""
    return _each(params, lambda row: trade.cancel(core, row), {})


def _each(params: Params, handle: Callable[[Params], Json], absent: Json) -> Outcome:
    params.one_of("category", "linear")
    rows, notes = [], []
    for found in _requests(params):
        row = Params({**found, "category": "linear"})
        made: Json = {"orderId": row.text("orderId"), "orderLinkId": row.text("orderLinkId")}
        try:
            made |= handle(row)
            notes.append({"code": 0, "msg": "OK"})
        except RefusedError as refused:
            made |= absent
            notes.append({"code": refused.code, "msg": refused.text})
        rows.append({"category": "linear", "symbol": row.text("symbol"), **made})
    return Outcome({"list": rows}, {"list": notes})


def _requests(params: Params) -> list[dict[str, Any]]:
    found = params.raw("request")
    if not isinstance(found, list) or not 0 < len(found) <= _MOST:
        raise refusals.wrong(f"params error: request must have 1 to {_MOST} orders")
    if not all(isinstance(row, dict) for row in found):
        raise refusals.invalid("request")
    return found
