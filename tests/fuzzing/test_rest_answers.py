"""Answers over a real socket: a value that they hold, or one of the failures that are expected."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import (
    AccessDeniedError,
    BadDataError,
    OrderRefusedError,
    OutcomeUnknownError,
    UnavailableError,
)
from infra.venues.bybit.http.client import Patience
from infra.venues.bybit.http.meter import Result
from infra.venues.bybit.rest import BybitRest
from tests.fuzzing.campaign import examples
from tests.fuzzing.mutations import as_json, damaged, is_number, mutated
from tests.fuzzing.recorded import LINK_ID, answers
from tests.fuzzing.truth import CANDLE, is_candle, is_execution, is_position
from tests.venues.bybit.rest_server import CREATE, Fault, RestServer, client_of, running_server
from tests.venues.bybit.test_rest_orders import ENTRY, yes
from tests.venues.simulator.clients import BTC

UNTIL_MS = 2_000_000_000_000
READS: dict[str, Callable[[BybitRest], Any]] = {
    "/v5/market/time": lambda rest: rest.server_time(),
    "/v5/market/instruments-info": lambda rest: rest.instruments([BTC]),
    "/v5/market/kline": lambda rest: rest.kline(BTC, 0, UNTIL_MS, candle_ms=300_000),
    "/v5/market/tickers": lambda rest: rest.ticker(BTC),
    "/v5/market/funding/history": lambda rest: rest.funding_rates(BTC, 0, UNTIL_MS),
    "/v5/market/risk-limit": lambda rest: rest.maintenance_rate(BTC, Decimal(1000)),
    "/v5/order/realtime": lambda rest: rest.open_orders(BTC),
    "/v5/order/history": lambda rest: rest.find_order(BTC, LINK_ID),
    "/v5/execution/list": lambda rest: rest.executions(BTC, 1, 2),
    "/v5/position/list": lambda rest: rest.position(BTC),
    "/v5/account/info": lambda rest: rest.account_info(),
    "/v5/account/wallet-balance": lambda rest: rest.wallet(),
    "/v5/account/fee-rate": lambda rest: rest.fee_rate(BTC),
    "/v5/account/transaction-log": lambda rest: rest.transfers([BTC], 1, 2),
    "/v5/user/query-api": lambda rest: rest.api_key_info(),
}
FAILURES = (BadDataError, UnavailableError, AccessDeniedError)
ORDER_FAILURES = (OutcomeUnknownError, OrderRefusedError, AccessDeniedError)


class House:
    """A client at a server that answers each path with a body of the simulated exchange."""

    def __init__(self, venue: RestServer, rest: BybitRest) -> None:
        self.venue, self.rest = venue, rest
        for path, answer in answers().items():
            if path != CREATE and not path.endswith("/time"):
                venue.results[path] = lambda _, result=answer["result"]: last_page(result)
        resting = venue.results["/v5/order/realtime"]
        venue.results["/v5/order/realtime"] = lambda query: (
            {"list": []} if "orderLinkId" in query else resting(query)
        )

    def counted(self) -> int:
        """Return how many answers were refused, or were none at all."""
        silent = sum(
            n for (_, result), n in self.rest.stats().counts.items() if result is not Result.OK
        )
        return silent + sum(self.rest.refused().values())

    def ask(self, path: str, body: bytes) -> Any:
        """Return what a read makes of a body, which may be what it raises, and count that."""
        self.venue.fail(path, *[Fault(body=body)] * 40)
        before = self.counted()
        try:
            found = READS[path](self.rest)
        except FAILURES as error:
            found = error
        self.venue.faults[path].clear()
        assert not isinstance(found, FAILURES) or self.counted() > before, found
        return found

    def is_well(self, path: str) -> bool:
        """Tell whether the next good answer is read."""
        self.venue.time.now_s += 4000.0  # whatever shut us out is over
        self.rest.sync_clock()
        return READS[path](self.rest) is not None


def last_page(result: Any) -> Any:
    return result | {"nextPageCursor": ""} if "list" in result else result


Holds = Callable[[list[Any], Any], bool]
HOLDS: dict[str, Holds] = {
    "/v5/position/list": lambda rows, found: any(is_position(row, found) for row in rows),
    "/v5/execution/list": lambda rows, found: all(
        any(is_execution(row, item) for row in rows) for item in found.executions
    ),
    "/v5/account/wallet-balance": lambda rows, found: any(
        is_number(coin.get("walletBalance"), found.balance) for coin in rows[0]["coin"]
    ),
    "/v5/market/kline": lambda rows, found: all(
        any(is_candle(dict(zip(("start", *CANDLE), row, strict=False)), candle) for row in rows)
        for candle in found
    ),
    "/v5/order/history": lambda rows, found: (
        found is None or any(is_number(row.get("cumExecQty", 0), found.filled_qty) for row in rows)
    ),
    "/v5/market/tickers": lambda rows, found: any(
        is_number(row.get("markPrice"), found.mark_price) for row in rows
    ),
    "/v5/account/transaction-log": lambda rows, found: all(
        any(is_number(row.get("change"), item.amount) for row in rows) for item in found
    ),
}
"""Whether rows hold what was found, where that decides on money."""


@pytest.fixture(scope="module")
def house():
    patience = replace(Patience(), answer_s=30.0)
    with running_server() as venue, client_of(venue, patience=patience) as rest:
        yield House(venue, rest)


@pytest.mark.parametrize("path", READS)
@examples(25)
@given(data=st.data())
def test_a_mutated_answer_is_read_or_refused_and_the_next_is_read(house, path, data):
    envelope = deepcopy(answers()[path])
    envelope["result"] = last_page(envelope["result"])
    if data.draw(st.integers(0, 3)):
        body = as_json(envelope | {"result": data.draw(mutated(envelope["result"]))})
    else:
        body = as_json(data.draw(mutated(envelope)))

    found = house.ask(path, body)

    if path in HOLDS and not isinstance(found, FAILURES):
        assert HOLDS[path](json.loads(body)["result"]["list"], found)
    assert house.is_well(path)


@examples(100)
@given(path=st.sampled_from(sorted(READS)), data=st.data())
def test_damaged_bytes_are_read_or_refused_and_the_next_answer_is_read(house, path, data):
    house.ask(path, data.draw(damaged(as_json(answers()[path]))))

    assert house.is_well(path)


@examples(150)
@given(data=st.data())
def test_an_order_is_never_thought_accepted_or_refused_by_what_nobody_can_read(house, data):
    created = answers()[CREATE] | {"retCode": 0}
    body = data.draw(mutated(created).map(as_json) | damaged(as_json(created)))
    house.venue.orders.clear()
    house.venue.fail(CREATE, Fault(body=body))
    before, accepted = house.counted(), house.venue.accepted

    outcome: Any = None
    try:
        outcome = house.rest.place_order(ENTRY, yes)
    except ORDER_FAILURES as error:
        outcome = error

    assert house.venue.accepted == accepted + 1
    if isinstance(outcome, OrderRefusedError | AccessDeniedError):
        assert json.loads(body)["retCode"] not in (0, None)
    elif isinstance(outcome, str):
        said = json.loads(body)
        assert (said["retCode"], said["result"]["orderId"]) == (0, outcome)
        assert said["result"].get("orderLinkId") in {ENTRY.client_order_id, "", None}
    else:
        assert house.counted() > before or says_another_id(body)
    house.venue.time.now_s += 4000.0


def says_another_id(body: bytes) -> bool:
    return json.loads(body)["result"]["orderLinkId"] != ENTRY.client_order_id
