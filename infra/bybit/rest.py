"""Bybit's REST interface as typed calls: pybit signs, everything that can go wrong is decided here.

Reads are repeated inside a budget. A request that changes something is sent once: whatever came
back is told apart as refused for certain, accepted before, never sent, or unknown. No exception of
pybit, requests or urllib3 leaves this file, nor any text that holds a key.
"""

import json
import logging
import random
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count, pairwise
from typing import Any, Never
from urllib.parse import quote

import requests
from loguru import logger
from pybit.exceptions import FailedRequestError  # type: ignore[import-untyped]
from pybit.unified_trading import HTTP  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from domain.errors import (
    AccessDeniedError,
    BadDataError,
    FencedError,
    OrderRefusedError,
    OutcomeUnknownError,
    UnavailableError,
)
from domain.market import DAY_MS, Candle
from domain.orders import INTENDED, OrderRequest, OrderState, OrderStatus, OrderUpdate
from domain.positions import ZERO, ExecutionKind
from domain.sizing import ProtectiveLevels
from infra.bybit import (
    AlreadyAcceptedError,
    NeverSentError,
    ReadRefusedError,
    RefusedError,
    UnansweredError,
    UnknownOutcomeError,
    shapes,
)
from infra.bybit.clock import ServerClock
from infra.bybit.limits import IP_PENALTY_S, Kind, Limiter
from infra.bybit.shapes import (
    CATEGORY,
    QUOTE,
    AccountInfo,
    ApiKeyInfo,
    Executions,
    FeeRates,
    Listing,
    MarginMode,
    Row,
    Ticker,
    Transfer,
    VenueExecution,
    VenueOrder,
    VenuePosition,
    Wallet,
)

IsOurs = Callable[[], bool]
"""Tells whether the sender is still the newest incarnation of its actor."""

_LOOPBACK = "http://127.0.0.1"
_WEEK_MS = 7 * DAY_MS
_MOST_PAGES = 2000
_KLINE_PAGE, _ORDER_PAGE, _EXECUTION_PAGE, _POSITION_PAGE, _LOG_PAGE = 1000, 50, 100, 200, 50
_HTTP_OK, _HTTP_UNAUTHORIZED, _HTTP_FORBIDDEN = 200, 401, 403
_LONGEST_TEXT = 300
_LONGEST_HEADER_PAUSE_S = 3600.0
_LONGEST_HOLD_S = 5.0

_DENIED = frozenset(
    {-2015, 10003, 10004, 10005, 10007, 10008, 10009, 10010, 10024, 10027, 10028, 33004}
)
"""Key, signature, permission, address, or the whole account is shut out."""
_WRONG_TIME = frozenset({-1, 10002})
_TOO_MANY, _TOO_MANY_OF_IP = 10006, 10018
_SYMBOL_INVALID, _ROUTE_UNKNOWN, _PARAMETER = 10029, 10017, 10001
_AMBIGUOUS = frozenset({429, 10000, 10014, 10016})
_DUPLICATE_ID = 110072
_PERHAPS_DONE = frozenset({110030, 110079})
"""A duplicate order id, and an order that is just being processed."""
_NOT_PROCESSED = _WRONG_TIME | {
    _PARAMETER,
    _TOO_MANY,
    _TOO_MANY_OF_IP,
    _SYMBOL_INVALID,
    _ROUTE_UNKNOWN,
}
_REFUSALS = ((30_000, 39_999), (110_000, 110_999), (3_000_000, 3_999_999))
"""Ranges of business errors: the venue looked at the request and did nothing."""
_STOPS_UNCHANGED, _LEVERAGE_UNCHANGED = 34040, 110043
_MODE_UNCHANGED = frozenset({110025, 110026})
_NOTHING_TO_CANCEL = frozenset({110001, 110008, 110010})


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The key of one account; never shown."""

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things may take."""

    connect_s: float = 3.0
    answer_s: float = 5.0
    """Longest silence of a connected venue."""
    recv_window_ms: int = 5000
    """How long a signed request stays valid at the venue."""
    read_budget_s: float = 6.0
    """From a read's first try to its last: a look-up makes three, within `hang_seconds`."""
    first_pause_s: float = 0.25
    longest_pause_s: float = 3.0
    turn_s: float = 2.0
    """How long a request that changes something waits for its turn at the rate limit."""
    idle_s: float = 15.0
    """An older idle connection is not trusted: the venue may have dropped it silently."""


PATIENCE = Patience()


def venue_url(*, testnet: bool, demo: bool) -> str:
    """Return the venue's address: real money, testnet, or demo trading."""
    if demo:
        return "https://api-demo.bybit.com"
    return "https://api-testnet.bybit.com" if testnet else "https://api.bybit.com"


class BybitRest:
    """One account; safe from any thread, each of which gets a connection of its own."""

    def __init__(
        self,
        credentials: Credentials | None,
        base_url: str,
        *,
        limiter: Limiter,
        clock: ServerClock,
        rng: random.Random,
        is_demo: bool = False,
        patience: Patience = PATIENCE,
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connect nothing yet.

        Args:
            credentials: None where only the market is read.
            base_url: where the venue is, without a path.
            limiter: shared by all who use the account or the address.
            clock: the venue's time, measured here.
            rng: spreads the retries.
            is_demo: demo trading, which has no fee rates.
            patience: how long things may take.
            monotonic_s: seconds, for budgets and round trips.
            sleep: waits some seconds.
        """
        self._credentials = credentials
        self._base_url = base_url.rstrip("/")
        self._limiter = limiter
        self.clock = clock
        self._rng = rng
        self.is_demo = is_demo
        self._patience = patience
        self._monotonic_s = monotonic_s
        self._sleep = sleep
        self._local = threading.local()
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._measuring = threading.Lock()

    def close(self) -> None:
        """Close the connections of all threads; the next call opens new ones."""
        for session in list(self._sessions):
            session.close()

    # Time.

    def server_time(self) -> int:
        """Return the venue's time, ms since 1970 UTC.

        Raises:
            UnavailableError: no answer within the budget.
        """
        answer = self._get(Kind.PUBLIC, HTTP.get_server_time, {}, is_private=False)
        return int(shapes.server_time_ms(answer.result))

    def sync_clock(self, samples: int = 3) -> None:
        """Measure the venue's time; the quickest of the round trips counts.

        Raises:
            UnavailableError: nothing could be measured.
            BadDataError: the answer held no time.
        """
        for sample in range(samples):
            self._limiter.wait(Kind.PUBLIC, at_most_s=self._patience.turn_s)
            asked_s = self._monotonic_s()
            outcome = self._ask(HTTP.get_server_time, {}, _Departure(_always))
            answered_s = self._monotonic_s()
            error = self._why_unanswered(Kind.PUBLIC, outcome)
            if error is None and isinstance(outcome, _Answer):
                server_ms = shapes.server_time_ms(outcome.result)
                self.clock.learn(asked_s=asked_s, answered_s=answered_s, server_ms=server_ms)
            elif sample == 0 and error is not None:
                raise error

    # Market.

    def instruments(self, symbols: Sequence[str]) -> dict[str, Listing]:
        """Return how the venue lists some perpetuals.

        Raises:
            BadDataError: it does not list one of them, or not readably.
            UnavailableError: no answer within the budget.
        """
        found: dict[str, Listing] = {}
        for symbol in symbols:
            query = {"category": CATEGORY, "symbol": symbol}
            answer = self._get(Kind.PUBLIC, HTTP.get_instruments_info, query, is_private=False)
            listed = shapes.listings(answer.result)
            if symbol not in listed:
                raise BadDataError(f"instruments: the venue does not list {symbol}")
            found[symbol] = listed[symbol]
        return found

    def kline(
        self, symbol: str, start_ms: int, end_ms: int, *, candle_ms: int
    ) -> tuple[Candle, ...]:
        """Return closed candles, oldest first, page by page; gaps stay gaps.

        Args:
            symbol: of the perpetual.
            start_ms: lowest open time, included.
            end_ms: highest open time, included; the candle that is still open is left out.
            candle_ms: length of a candle.

        Raises:
            BadDataError: a candle contradicts itself.
            UnavailableError: no answer within the budget, for any of the pages.
        """
        found: dict[int, Candle] = {}
        query: dict[str, object] = {"category": CATEGORY, "symbol": symbol, "start": start_ms}
        query |= {"interval": shapes.interval_of(candle_ms), "limit": _KLINE_PAGE}
        newest_ms = end_ms
        while newest_ms >= start_ms:
            answer = self._get(
                Kind.PUBLIC, HTTP.get_kline, query | {"end": newest_ms}, is_private=False
            )
            page = shapes.candles(answer.result, symbol, candle_ms)
            page = [candle for candle in page if start_ms <= candle.open_time_ms <= newest_ms]
            if not page:
                break
            now_ms = self._time_of(answer)
            found |= {c.open_time_ms: c for c in page if c.close_time_ms <= now_ms}
            newest_ms = page[0].open_time_ms - 1
        return tuple(found[open_time_ms] for open_time_ms in sorted(found))

    def ticker(self, symbol: str) -> Ticker:
        """Return a perpetual's last and mark price.

        Raises:
            BadDataError: a price is missing.
            UnavailableError: no answer within the budget.
        """
        query = {"category": CATEGORY, "symbol": symbol}
        answer = self._get(Kind.PUBLIC, HTTP.get_tickers, query, is_private=False)
        return shapes.ticker(answer.result, symbol, self._time_of(answer))

    # Orders.

    def place_order(self, order: OrderRequest, is_ours: IsOurs) -> str:
        """Send a market order, once, and return the venue's order id.

        The venue has then accepted the order, not filled it.

        Args:
            order: what is asked.
            is_ours: checked before the order is signed, and again before its first byte leaves.

        Raises:
            FencedError: the sender was replaced; nothing was sent.
            RefusedError: refused for certain, nothing was traded. With code 10002 our time was
                wrong: it is measured again before the next request.
            NeverSentError: it did not leave.
            AlreadyAcceptedError: an earlier send of the same id was accepted.
            UnknownOutcomeError: it may have been accepted.
            AccessDeniedError: the key or the account is shut out; nothing was traded.
        """
        kind = Kind.CLOSE if order.reduce_only else Kind.ENTRY
        answer = self._post(kind, HTTP.place_order, shapes.order_query(order), is_ours)
        try:
            row = Row("order/create", answer.result)
            named, venue_order_id = row.maybe_text("orderLinkId"), row.text("orderId")
        except BadDataError as error:
            raise UnknownOutcomeError(f"accepted without an order id: {error}") from None
        if named not in {order.client_order_id, None}:
            raise UnknownOutcomeError(f"the venue answered for {named}")
        return venue_order_id

    def find_order(self, symbol: str, client_order_id: str) -> OrderUpdate | None:
        """Return what the venue knows of one of our orders.

        Asks for open and just ended orders, then the history, then executions.

        Returns:
            None where none of the three knows it. That proves its absence only if asked after the
            request has become invalid (`UnknownOutcomeError.dead_after_ms`), and twice.

        Raises:
            UnavailableError: one of them could not be asked.
            BadDataError: an answer is not readable, or about other orders.
        """
        query = {"category": CATEGORY, "symbol": symbol, "orderLinkId": client_order_id}
        live = self._orders_of_id(HTTP.get_open_orders, query)
        if live:
            return _strongest(live)
        known = self._orders_of_id(HTTP.get_order_history, query)
        filled = self._fills_of_id(query)
        return _strongest([*known, *([] if filled is None else [filled])])

    def open_orders(self, symbol: str) -> tuple[VenueOrder, ...]:
        """Return all orders that rest at the venue, stops and other conditional ones included.

        Raises:
            UnavailableError: no answer within the budget.
            BadDataError: a field that must be there is missing.
        """
        found: dict[str, VenueOrder] = {}
        for order_filter in (None, "StopOrder"):
            query = {"category": CATEGORY, "symbol": symbol, "orderFilter": order_filter}
            for answer in self._pages(HTTP.get_open_orders, query, _ORDER_PAGE):
                rows = Row("order/realtime", answer.result).rows("list")
                found |= {order.venue_order_id: order for order in map(shapes.order, rows)}
        return tuple(sorted(found.values(), key=lambda order: order.ts_ms))

    def cancel(self, symbol: str, client_order_id: str, is_ours: IsOurs) -> bool:
        """Ask the venue to cancel an order; a fill may still come first.

        Returns:
            Whether there was anything left to cancel.

        Raises:
            As `place_order`, save AlreadyAcceptedError.
        """
        query = {"category": CATEGORY, "symbol": symbol, "orderLinkId": client_order_id}
        answer = self._post(Kind.CANCEL, HTTP.cancel_order, query, is_ours, done=_NOTHING_TO_CANCEL)
        return answer.code == 0

    def executions(self, symbol: str, since_ms: int, until_ms: int | None = None) -> Executions:
        """Return everything that was executed, oldest first.

        Args:
            symbol: of the perpetual.
            since_ms: lowest execution time, included.
            until_ms: highest, included; None: now.

        Raises:
            UnavailableError: no answer within the budget, for any of the pages.
            BadDataError: a field that must be there is missing.
        """
        query = {"category": CATEGORY, "symbol": symbol}
        found: dict[str, VenueExecution] = {}
        for answer in self._history(
            HTTP.get_executions, query, _EXECUTION_PAGE, since_ms, until_ms
        ):
            rows = Row("execution/list", answer.result).rows("list")
            items = [shapes.execution(row) for row in rows if row.text("symbol") == symbol]
            found |= {item.execution.exec_id: item for item in items}
        ordered = sorted(found.values(), key=lambda item: (item.execution.ts_ms, item.seq))
        unknown = Counter(item.exec_type for item in ordered if not item.is_known_type)
        if unknown:
            logger.warning("{}: executions of types that we do not know: {}", symbol, dict(unknown))
        return Executions(items=tuple(ordered), unknown_types=dict(unknown))

    # Positions.

    def position(self, symbol: str) -> VenuePosition:
        """Return the position, which may be flat.

        Raises:
            UnavailableError: no answer within the budget.
            BadDataError: a field that must be there is missing, or the symbol is in hedge mode.
        """
        rows = self.positions(symbol)
        if len(rows) == 1 and rows[0].position_idx == 0:
            return rows[0]
        found = [row.position_idx for row in rows]
        raise BadDataError(f"{symbol}: expected one row with positionIdx 0, found {found}")

    def positions(self, symbol: str) -> tuple[VenuePosition, ...]:
        """Return the symbol's rows: one in one-way mode, two in hedge mode."""
        rows = self._position_rows({"symbol": symbol})
        return tuple(row for row in rows if row.symbol == symbol)

    def open_positions(self) -> tuple[VenuePosition, ...]:
        """Return all open positions in USDT, of any symbol."""
        return tuple(row for row in self._position_rows({"settleCoin": QUOTE}) if not row.is_flat)

    def set_stops(self, symbol: str, levels: ProtectiveLevels, is_ours: IsOurs) -> VenuePosition:
        """Have both stops stand for the whole position, and return the position as read back.

        Returns:
            The position; a flat one where it was gone, with nothing set.

        Raises:
            FencedError: the sender was replaced; nothing was sent.
            RefusedError: a position is open and the venue refused the levels.
            UnknownOutcomeError: they were taken, perhaps, but do not stand.
            UnavailableError: they could not be read back.
            AccessDeniedError: the key or the account is shut out.
        """
        refused: OrderRefusedError | OutcomeUnknownError | None = None
        query = shapes.stops_query(symbol, levels)
        try:
            self._post(Kind.STOPS, HTTP.set_trading_stop, query, is_ours, done={_STOPS_UNCHANGED})
        except (OrderRefusedError, OutcomeUnknownError) as error:
            refused = error
        position = self._position_with(symbol, levels, is_patient=refused is None)
        if position.is_flat or position.stops == levels:
            return position
        if refused is not None:
            raise refused
        raise UnknownOutcomeError(f"{symbol}: expected {levels}, found {position.stops}")

    def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        """Set the leverage of both sides. Raises as `place_order`."""
        text = shapes.plain(leverage)
        query = {"category": CATEGORY, "symbol": symbol}
        query |= {"buyLeverage": text, "sellLeverage": text}
        self._post(Kind.SETTING, HTTP.set_leverage, query, _always, done={_LEVERAGE_UNCHANGED})

    def set_one_way(self, symbol: str) -> None:
        """Put a symbol into one-way mode. Raises as `place_order`."""
        query = {"category": CATEGORY, "symbol": symbol, "mode": 0}
        self._post(Kind.SETTING, HTTP.switch_position_mode, query, _always, done=_MODE_UNCHANGED)

    # The account.

    def set_margin_mode(self, mode: MarginMode) -> None:
        """Set the margin mode of the whole account. Raises as `place_order`."""
        query = {"setMarginMode": mode.value}
        self._post(Kind.SETTING, HTTP.set_margin_mode, query, _always, done=_MODE_UNCHANGED)

    def account_info(self) -> AccountInfo:
        """Return the margin mode and the kind of account."""
        return shapes.account_info(self._get(Kind.READ, HTTP.get_account_info, {}).result)

    def api_key_info(self) -> ApiKeyInfo:
        """Return what the key may do."""
        answer = self._get(Kind.READ, HTTP.get_api_key_information, {})
        return shapes.api_key_info(answer.result)

    def wallet(self, margin_mode: MarginMode | None = None) -> Wallet:
        """Return balance, equity and what is available, USDT.

        Args:
            margin_mode: of the account, where it is known.

        Raises:
            UnavailableError: no answer within the budget.
            BadDataError: a figure is missing.
        """
        query = {"accountType": "UNIFIED", "coin": QUOTE}
        answer = self._get(Kind.READ, HTTP.get_wallet_balance, query)
        return shapes.wallet(answer.result, self._time_of(answer), margin_mode)

    def fee_rate(self, symbol: str) -> FeeRates | None:
        """Return the fees that the account pays; None in demo trading, which does not tell."""
        if self.is_demo:
            return None
        query = {"category": CATEGORY, "symbol": symbol}
        return shapes.fee_rates(self._get(Kind.SETTING, HTTP.get_fee_rates, query).result, symbol)

    def transfers(self, since_ms: int, until_ms: int | None = None) -> tuple[Transfer, ...]:
        """Return what changed the balance besides trading and funding, oldest first.

        Args:
            since_ms: lowest time, included.
            until_ms: highest, included; None: now.
        """
        query = {"accountType": "UNIFIED", "currency": QUOTE}
        found: dict[tuple[str, str, int], Transfer] = {}
        for answer in self._history(HTTP.get_transaction_log, query, _LOG_PAGE, since_ms, until_ms):
            rows = Row("transaction-log", answer.result).rows("list")
            for item in map(shapes.transfer, rows):
                if item is not None:
                    found[item.transfer_id, item.kind, item.ts_ms] = item
        return tuple(sorted(found.values(), key=lambda item: item.ts_ms))

    # Parts of the calls.

    def _orders_of_id(self, call: "_Call", query: Mapping[str, object]) -> list[OrderUpdate]:
        answer = self._get(Kind.READ, call, query)
        orders = [shapes.order(row) for row in Row("order", answer.result).rows("list")]
        wanted = str(query["orderLinkId"])
        _check_all_of_id(wanted, [order.client_order_id for order in orders])
        return [order.update(wanted) for order in orders]

    def _fills_of_id(self, query: Mapping[str, object]) -> OrderUpdate | None:
        wanted, filled, leaves, ts_ms = str(query["orderLinkId"]), ZERO, None, 0
        for answer in self._pages(HTTP.get_executions, query, _EXECUTION_PAGE):
            rows = Row("execution/list", answer.result).rows("list")
            items = [shapes.execution(row) for row in rows]
            _check_all_of_id(wanted, [row.maybe_text("orderLinkId") for row in rows])
            for item in items:
                if item.execution.kind is not ExecutionKind.TRADE:
                    continue
                filled += item.execution.qty
                if item.leaves_qty is not None:
                    leaves = item.leaves_qty if leaves is None else min(leaves, item.leaves_qty)
                ts_ms = max(ts_ms, item.execution.ts_ms)
        if not filled:
            return None
        # Without the order's own row only a fill to the last step proves an end.
        status = OrderStatus.FILLED if leaves == 0 else OrderStatus.PARTIALLY_FILLED
        return OrderUpdate(
            client_order_id=wanted,
            status=status,
            filled_qty=filled,
            ts_ms=ts_ms,
            detail="known by its executions",
        )

    def _position_rows(self, query: Mapping[str, object]) -> list[VenuePosition]:
        found: list[VenuePosition] = []
        asked = {"category": CATEGORY, **query}
        for answer in self._pages(HTTP.get_positions, asked, _POSITION_PAGE):
            rows = Row("position/list", answer.result).rows("list")
            found += [shapes.position(row, self._time_of(answer)) for row in rows]
            if "symbol" in query:
                break
        return found

    def _position_with(
        self, symbol: str, levels: ProtectiveLevels, *, is_patient: bool
    ) -> VenuePosition:
        """Read the position until the levels stand, a few times at most: reads may lag writes."""
        position = self.position(symbol)
        for attempt in range(3 if is_patient else 1):
            if position.is_flat or position.stops == levels:
                break
            self._sleep(self._pause_s(attempt))
            position = self.position(symbol)
        return position

    def _history(
        self,
        call: "_Call",
        query: Mapping[str, object],
        limit: int,
        since_ms: int,
        until_ms: int | None,
    ) -> "Iterator[_Answer]":
        """Ask in windows of a week, the longest that the venue takes."""
        end_ms = self.clock.now_ms() + 1000 if until_ms is None else until_ms
        starts = [*range(since_ms, end_ms + 1, _WEEK_MS), end_ms + 1]
        for start_ms, next_ms in pairwise(starts):
            window = {"startTime": start_ms, "endTime": next_ms - 1}
            yield from self._pages(call, {**query, **window}, limit)

    def _pages(self, call: "_Call", query: Mapping[str, object], limit: int) -> "Iterator[_Answer]":
        # The venue may name a next page after the last one; a page that is empty, or a cursor
        # that was used before, ends it.
        used: set[str] = set()
        asked = {**query, "limit": limit}
        for _ in range(_MOST_PAGES):
            answer = self._get(Kind.READ, call, asked)
            yield answer
            page = Row("page", answer.result)
            cursor = page.maybe_text("nextPageCursor")
            if cursor is None or cursor in used or not page.items("list"):
                return
            used.add(cursor)
            asked["cursor"] = quote(cursor, safe="%~:,")
        raise BadDataError(f"expected at most {_MOST_PAGES} pages")

    # One request.

    def _get(
        self, kind: Kind, call: "_Call", query: Mapping[str, object], *, is_private: bool = True
    ) -> "_Answer":
        if is_private:
            self._check_keys()
        deadline_s = self._monotonic_s() + self._patience.read_budget_s
        for attempt in count():
            if is_private and not self.clock.is_fresh:
                self._refresh_clock()
            self._limiter.wait(kind, at_most_s=max(0.0, deadline_s - self._monotonic_s()))
            outcome = self._ask(call, query, _Departure(_always), deadline_s)
            error = self._why_unanswered(kind, outcome)
            if error is None and isinstance(outcome, _Answer):
                return outcome
            pause_s = max(self._pause_s(attempt), 0.0 if error is None else error.retry_after_s)
            if error is not None and self._monotonic_s() + pause_s >= deadline_s:
                raise error
            logger.debug("{}: {}; again in {:.2f} s", call.__name__, error, pause_s)
            self._sleep(pause_s)
        raise AssertionError

    def _post(
        self,
        kind: Kind,
        call: "_Call",
        query: Mapping[str, object],
        is_ours: IsOurs,
        *,
        done: "frozenset[int] | set[int]" = frozenset(),
    ) -> "_Answer":
        """Send a request that changes something, once; codes in `done` say that it is so."""
        self._check_keys()
        departure = _Departure(is_ours)
        departure.check()
        if not self.clock.is_usable:
            self._refresh_clock()
        try:
            self._limiter.wait(kind, at_most_s=self._patience.turn_s)
        except UnansweredError as error:
            raise NeverSentError(str(error)) from None
        outcome = self._ask(call, query, departure)
        self._heed(kind, outcome)
        if isinstance(outcome, _Silence):
            _raise_silence(outcome, departure)
        if outcome.code != 0 and outcome.code not in done:
            _raise_refusal(outcome, departure)
        return outcome

    def _ask(
        self,
        call: "_Call",
        query: Mapping[str, object],
        departure: "_Departure",
        deadline_s: float | None = None,
    ) -> "_Answer | _Silence":
        """Return what came back; only a fenced sender is an exception here.

        The exceptions of pybit and requests end here and are not chained: their frames hold the
        key and the signature.
        """
        client = self._client(deadline_s)
        left_over = _DEPARTURE.set(departure)
        try:
            answer: _Answer = call(client, **query)
        except FailedRequestError as error:
            headers = error.resp_headers or {}
            return _Silence(
                why=f"HTTP status {error.status_code}",
                status=error.status_code,
                retry_after_s=_seconds(headers.get("Retry-After")),
            )
        except _UnreadableError as error:
            return _Silence(why=str(error))
        except (requests.RequestException, HTTPError) as error:
            return _Silence(why=self._without_keys(f"{type(error).__name__}: {error}"))
        finally:
            _DEPARTURE.reset(left_over)
        return answer.with_text(self._without_keys(answer.text))

    def _client(self, deadline_s: float | None) -> "_Client":
        """Return the calling thread's client; an idle connection of it is dropped."""
        client: _Client | None = getattr(self._local, "client", None)
        now_s = self._monotonic_s()
        if client is None:
            client = _Client(self._credentials, self._base_url, self.clock, self._patience)
            self._local.client = client
            self._sessions.add(client.client)
        elif now_s - client.used_s > self._patience.idle_s:
            client.client.close()
        client.used_s = now_s
        answer_s = self._patience.answer_s
        if deadline_s is not None:
            answer_s = min(answer_s, max(deadline_s - now_s, 0.1))
        client.timeout = (self._patience.connect_s, answer_s)
        return client

    def _heed(self, kind: Kind, outcome: "_Answer | _Silence") -> float:
        """Do what an answer asks of later requests, and return how many seconds they must wait."""
        if isinstance(outcome, _Silence):
            if outcome.status != _HTTP_FORBIDDEN:
                return outcome.retry_after_s
            return self._stop_all(outcome.retry_after_s or IP_PENALTY_S, outcome.why)
        if outcome.code in _WRONG_TIME:
            self.clock.doubt()
        if outcome.code == _TOO_MANY_OF_IP:
            return self._stop_all(IP_PENALTY_S, outcome.text)
        if outcome.code != _TOO_MANY:
            return 0.0
        reset_ms = outcome.reset_ms
        left_s = 1.0 if reset_ms is None else (reset_ms - self.clock.now_ms()) / 1000
        hold_s = min(max(left_s, 0.1), _LONGEST_HOLD_S)
        self._limiter.hold(kind, hold_s)
        return hold_s

    def _stop_all(self, for_s: float, why: str) -> float:
        logger.error("the venue shut this address out, all requests stop for {} s: {}", for_s, why)
        self._limiter.shut(for_s, why)
        return for_s

    def _why_unanswered(self, kind: Kind, outcome: "_Answer | _Silence") -> UnansweredError | None:
        """Return why a read may be asked again, None where it was answered; raise where not."""
        retry_after_s = self._heed(kind, outcome)
        if isinstance(outcome, _Silence):
            if outcome.status == _HTTP_UNAUTHORIZED:
                raise AccessDeniedError(outcome.why)
            return UnansweredError(outcome.why, retry_after_s=retry_after_s)
        code, text = outcome.code, outcome.text
        if code == 0:
            return None
        if code in _DENIED:
            raise AccessDeniedError(f"{code}: {text}")
        if code in _AMBIGUOUS | _WRONG_TIME | {_TOO_MANY, _TOO_MANY_OF_IP}:
            return UnansweredError(f"{code}: {text}", retry_after_s=retry_after_s)
        raise ReadRefusedError(code, text)

    def _refresh_clock(self) -> None:
        """Measure the time again; without an answer the old offset has to do."""
        if not self._measuring.acquire(timeout=1.0):
            return  # another thread is at it; a request must not wait for that
        try:
            if not self.clock.is_fresh:
                self.sync_clock()
        except (UnavailableError, BadDataError) as error:
            logger.warning("the venue's time could not be measured: {}", error)
        finally:
            self._measuring.release()

    def _pause_s(self, attempt: int) -> float:
        longest_s = min(
            self._patience.first_pause_s * 2.0 ** min(attempt, 20), self._patience.longest_pause_s
        )
        return longest_s * self._rng.uniform(0.5, 1.0)

    def _time_of(self, answer: "_Answer") -> int:
        return self.clock.now_ms() if answer.time_ms is None else answer.time_ms

    def _check_keys(self) -> None:
        if self._credentials is None:
            raise AccessDeniedError("this needs an API key, and none is set")

    def _without_keys(self, text: str) -> str:
        # The venue's error about a wrong signature repeats what was signed, key included.
        if self._credentials is not None:
            for secret in (self._credentials.api_key, self._credentials.api_secret):
                text = text.replace(secret, "***") if secret else text
        return " ".join(text.split())[:_LONGEST_TEXT]


# What came back.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    code: int
    text: str
    result: object
    time_ms: int | None
    reset_ms: int | None

    def with_text(self, text: str) -> "_Answer":
        return _Answer(
            code=self.code,
            text=text,
            result=self.result,
            time_ms=self.time_ms,
            reset_ms=self.reset_ms,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Silence:
    """No answer that can be read."""

    why: str
    status: int | None = None
    retry_after_s: float = 0.0


_Call = Callable[..., _Answer]
"""An unbound method of pybit's client."""


class _UnreadableError(Exception):
    """A body that is no answer of the venue."""


def _read(response: requests.Response) -> _Answer:
    try:
        raw = json.loads(response.content)
    except (ValueError, RecursionError):
        raw = None
    code = raw.get("retCode") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(code, int) or isinstance(code, bool):
        raise _UnreadableError("the answer's body is not readable")
    row = Row("answer", raw)
    headers = Row("headers", dict(response.headers.lower_items()))
    return _Answer(
        code=code,
        text=" ".join([row.maybe_text("retMsg") or "", *_reasons(raw)]).strip(),
        result=raw.get("result"),
        time_ms=row.maybe_integer("time"),
        reset_ms=headers.maybe_integer("x-bapi-limit-reset-timestamp"),
    )


def _reasons(raw: dict[str, object]) -> list[str]:
    result = raw.get("result")
    rows = Row("result", result).maybe_items("reasons") if isinstance(result, dict) else []
    found = [Row("reason", item).maybe_text("reasonMsg") for item in rows if isinstance(item, dict)]
    return [text for text in found if text is not None]


def _raise_silence(silence: _Silence, departure: "_Departure") -> Never:
    if silence.status == _HTTP_UNAUTHORIZED:
        raise AccessDeniedError(silence.why)
    if not departure.has_left:
        raise NeverSentError(silence.why)
    raise UnknownOutcomeError(silence.why, dead_after_ms=departure.dead_after_ms)


def _raise_refusal(answer: _Answer, departure: "_Departure") -> Never:
    code, text = answer.code, answer.text
    if code == _DUPLICATE_ID:
        raise AlreadyAcceptedError(f"{code}: {text}", code=code)
    if code in _DENIED:
        raise AccessDeniedError(f"{code}: {text}")
    is_business = any(low <= code <= high for low, high in _REFUSALS)
    if code in _NOT_PROCESSED or (is_business and code not in _PERHAPS_DONE):
        raise RefusedError(code, text)
    # A code that no table explains is no proof that nothing was done.
    raise UnknownOutcomeError(f"{code}: {text}", code=code, dead_after_ms=departure.dead_after_ms)


def _strongest(updates: Sequence[OrderUpdate]) -> OrderUpdate | None:
    """Return all evidence of one order as one piece of news."""
    if not updates:
        return None
    state: OrderState = INTENDED
    newest = updates[0]
    for update in updates:
        newest = update if state.apply(update).status is not state.status else newest
        state = state.apply(update)
    return OrderUpdate(
        client_order_id=newest.client_order_id,
        status=state.status,
        filled_qty=state.filled_qty,
        ts_ms=max(update.ts_ms for update in updates),
        detail=newest.detail,
    )


def _check_all_of_id(wanted: str, found: Sequence[str | None]) -> None:
    # Were the filter ignored, our order could be on a page that nobody reads.
    others = [name for name in found if name != wanted]
    if others:
        raise BadDataError(f"asked for order {wanted}, the venue answered for {others[0]}")


def _seconds(header: str | None) -> float:
    found = Row("headers", {"value": header}).maybe_integer("value")
    return 0.0 if found is None else min(max(float(found), 0.0), _LONGEST_HEADER_PAUSE_S)


def _always() -> bool:
    return True


# The way out.


class _Departure:
    """One request on its way out: who may send it, and whether it has left."""

    def __init__(self, is_ours: IsOurs) -> None:
        self._is_ours = is_ours
        self.has_left = False
        self.dead_after_ms: int | None = None

    def check(self) -> None:
        if not self._is_ours():
            raise FencedError("a replaced incarnation tried to act at the exchange")

    def leave(self) -> None:
        self.check()
        self.has_left = True


_DEPARTURE: ContextVar[_Departure | None] = ContextVar("departure", default=None)


def _leave(connection: HTTPConnection) -> None:
    """Let the request of this thread go, at the last moment: its connection stands already."""
    departure = _DEPARTURE.get()
    if departure is None or departure.has_left:
        return
    if connection.sock is None:
        connection.connect()
    departure.leave()


class _Connection(HTTPConnection):
    def send(self, data: Any) -> None:
        _leave(self)
        super().send(data)


class _SecureConnection(HTTPSConnection):
    def send(self, data: Any) -> None:
        _leave(self)
        super().send(data)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


class _Session(requests.Session):
    """Requests go straight to the venue: no proxy, no netrc, and never after a redirect."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.update({"Content-Type": "application/json", "Accept": "application/json"})
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(pool_connections=1, pool_maxsize=1))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        return super().send(request, **{**kwargs, "allow_redirects": False})

    def resolve_redirects(self, *_: Any, **__: Any) -> Generator[requests.Response, None, None]:
        yield from ()


class _Client(HTTP):  # type: ignore[misc]
    """pybit's client with our clock, our connections and our reading of what came back."""

    def __init__(
        self,
        credentials: Credentials | None,
        base_url: str,
        clock: ServerClock,
        patience: Patience,
    ) -> None:
        with _without_new_handlers():
            super().__init__(
                api_key=None if credentials is None else credentials.api_key,
                api_secret=None if credentials is None else credentials.api_secret,
                recv_window=patience.recv_window_ms,
                max_retries=1,
                retry_codes={-999_999},  # an empty set would mean pybit's own
            )
        self.endpoint = base_url
        self.client: requests.Session = _Session()
        self.logger = _SILENT
        self._clock = clock
        self.used_s = 0.0

    def __repr__(self) -> str:
        return f"<client of {self.endpoint}>"  # pybit's own repr shows the secret

    @staticmethod
    def prepare_payload(method: str, parameters: dict[str, object]) -> str:
        payload: str = HTTP.prepare_payload(method, parameters)
        if method == "GET" and payload:
            # What is signed must be what goes over the wire, quoting included.
            url = requests.Request("GET", f"{_LOOPBACK}/?{payload}").prepare().url
            payload = parse_url(url or "").query or ""
        return payload

    def _prepare_headers(
        self, payload: str, recv_window: int, content_type: str = "application/json"
    ) -> dict[str, str]:
        departure, timestamp = _DEPARTURE.get(), self._clock.now_ms()
        if departure is not None:
            departure.check()
            departure.dead_after_ms = timestamp + recv_window
        return {
            "Content-Type": content_type,
            "X-BAPI-API-KEY": self.api_key,
            "X-BAPI-SIGN": self._auth(payload, recv_window, timestamp),
            "X-BAPI-SIGN-TYPE": "2",
            "X-BAPI-TIMESTAMP": str(timestamp),
            "X-BAPI-RECV-WINDOW": str(recv_window),
        }

    def _handle_response(self, response: requests.Response, *_: object) -> _Answer:
        return _read(response)


_SILENT = logging.getLogger("infra.bybit.pybit")
_SILENT.disabled = True
_MAKING = threading.Lock()


@contextmanager
def _without_new_handlers() -> Iterator[None]:
    """Undo that each pybit client adds a log handler where the root logger has none."""
    pybit_logger = logging.getLogger("pybit._http_manager")
    with _MAKING:
        before = list(pybit_logger.handlers)
        yield
        for handler in set(pybit_logger.handlers) - set(before):
            pybit_logger.removeHandler(handler)
