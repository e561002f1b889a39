"""Orders and their executions."""

from collections import Counter
from collections.abc import Mapping, Sequence

from pybit.unified_trading import HTTP  # type: ignore[import-untyped]

from domain.errors import BadDataError
from domain.trading.orders import INTENDED, OrderRequest, OrderState, OrderStatus, OrderUpdate
from domain.trading.positions import ZERO, ExecutionKind
from infra.venues.bybit.endpoints.base import RestEndpoints
from infra.venues.bybit.errors import UnknownOutcomeError
from infra.venues.bybit.http.outcome import Answer
from infra.venues.bybit.http.send_fence import IsOurs
from infra.venues.bybit.http.transport import Call
from infra.venues.bybit.limits import Kind
from infra.venues.bybit.shapes.executions import Executions, VenueExecution, execution_of
from infra.venues.bybit.shapes.orders import VenueOrder, order_of
from infra.venues.bybit.shapes.queries import CATEGORY, order_query
from infra.venues.bybit.shapes.row import Row

CLIENT_ID, VENUE_ID = "orderLinkId", "orderId"
_ORDER_PAGE, _EXECUTION_PAGE = 50, 100
_NOTHING_TO_CANCEL = frozenset({110001, 110008, 110010})


class OrderCalls(RestEndpoints):
    """One account's orders."""

    def place_order(self, order: OrderRequest, is_ours: IsOurs) -> str:
        """Send a market order, once, and return the venue's order id.

        The venue has then accepted the order, not yet filled it.

        Args:
            order: to place.
            is_ours: checked before the order is signed, and again before its first byte is sent.

        Raises:
            FencedError: the sender was replaced; nothing was sent.
            RefusedError: definitely refused, nothing was traded. With code 10002 our time was
                wrong: it is measured again before the next request.
            NeverSentError: it was not sent.
            AlreadyAcceptedError: an earlier send of the same id was accepted.
            UnknownOutcomeError: it may have been accepted.
            AccessDeniedError: the key or the account is locked out; nothing was traded.
        """
        kind = Kind.CLOSE if order.reduce_only else Kind.ENTRY
        answer = self._wire.post(kind, HTTP.place_order, order_query(order), is_ours)
        try:
            named, venue_order_id = self._wire.read(HTTP.place_order, answer, _created)
        except BadDataError as error:
            raise UnknownOutcomeError(f"accepted without an order id: {error}") from None
        if named not in {order.client_order_id, None}:
            raise UnknownOutcomeError(f"the venue answered for {named}")
        return venue_order_id

    def find_order(self, symbol: str, client_order_id: str) -> OrderUpdate | None:
        """Return what the venue knows about one of our orders.

        Queries open and recently closed orders, then the history, then executions.

        Returns:
            None if none of the three has it. That proves its absence only if asked twice, after the
            request has expired (`UnknownOutcomeError.dead_after_ms`).

        Raises:
            UnavailableError: one of them could not be queried.
            BadDataError: an answer cannot be read, or is about other orders.
        """
        query = {"category": CATEGORY, "symbol": symbol, "orderLinkId": client_order_id}
        with self._wire.one_budget():
            live = self._orders_of_id(HTTP.get_open_orders, query)
            if live:
                return _strongest(live)
            known = self._orders_of_id(HTTP.get_order_history, query)
            filled = self._fills_of_id(query)
        return _strongest([*known, *([] if filled is None else [filled])])

    def open_orders(self, symbol: str) -> tuple[VenueOrder, ...]:
        """Return all resting orders, including stops and other conditional ones.

        Raises:
            UnavailableError: no answer within the budget.
            BadDataError: a required field is missing.
        """
        found: dict[str, VenueOrder] = {}
        for order_filter in (None, "StopOrder"):
            query = {"category": CATEGORY, "symbol": symbol, "orderFilter": order_filter}
            for page in self._wire.pages(HTTP.get_open_orders, query, _ORDER_PAGE, _orders):
                found |= {order.venue_order_id: order for order in page}
        return tuple(sorted(found.values(), key=lambda order: order.ts_ms))

    def cancel(
        self, symbol: str, order_id: str, is_ours: IsOurs, *, id_name: str = CLIENT_ID
    ) -> bool:
        """Ask the venue to cancel an order; a fill may still come first.

        Args:
            symbol: of the perpetual.
            order_id: the client's id, or the venue's.
            is_ours: checked immediately before the request is sent.
            id_name: which of the two: CLIENT_ID or VENUE_ID.

        Returns:
            Whether there was anything left to cancel.

        Raises:
            As `place_order`, except AlreadyAcceptedError.
        """
        query = {"category": CATEGORY, "symbol": symbol, id_name: order_id}
        answer = self._wire.post(
            Kind.CANCEL, HTTP.cancel_order, query, is_ours, done=_NOTHING_TO_CANCEL
        )
        return answer.code == 0

    def executions(self, symbol: str, since_ms: int, until_ms: int | None = None) -> Executions:
        """Return all executions, oldest first.

        Args:
            symbol: of the perpetual.
            since_ms: earliest execution time, inclusive.
            until_ms: latest, inclusive; None: now.

        Raises:
            UnavailableError: no answer within the budget, for any of the pages.
            BadDataError: a required field is missing.
        """
        query = {"category": CATEGORY, "symbol": symbol}
        found: dict[str, VenueExecution] = {}

        def read(answer: Answer) -> list[VenueExecution]:
            rows = Row("execution/list", answer.result).rows("list")
            return [execution_of(row) for row in rows if row.text("symbol") == symbol]

        for page in self._wire.history(
            HTTP.get_executions, query, _EXECUTION_PAGE, since_ms, until_ms, read
        ):
            found |= {item.execution.exec_id: item for item in page}
        ordered = sorted(found.values(), key=lambda item: (item.execution.ts_ms, item.seq))
        unknown = Counter(item.exec_type for item in ordered if not item.is_known_type)
        for exec_type in unknown:
            self._wire.refusals.count("execution of another kind", f"{symbol}: {exec_type}")
        return Executions(items=tuple(ordered))

    def _orders_of_id(self, call: Call, query: Mapping[str, object]) -> list[OrderUpdate]:
        wanted = str(query["orderLinkId"])

        def read(answer: Answer) -> list[OrderUpdate]:
            orders = _orders(answer)
            _check_all_of_id(wanted, [order.client_order_id for order in orders])
            return [order.update(wanted) for order in orders]

        return self._wire.get(Kind.READ, call, query, read)

    def _fills_of_id(self, query: Mapping[str, object]) -> OrderUpdate | None:
        wanted, filled, leaves, ts_ms = str(query["orderLinkId"]), ZERO, None, 0

        def read(answer: Answer) -> list[VenueExecution]:
            rows = Row("execution/list", answer.result).rows("list")
            _check_all_of_id(wanted, [row.text_if_any("orderLinkId") for row in rows])
            return [execution_of(row) for row in rows]

        for page in self._wire.pages(HTTP.get_executions, query, _EXECUTION_PAGE, read):
            for item in page:
                if item.execution.kind is not ExecutionKind.TRADE:
                    continue
                filled += item.execution.qty
                if item.leaves_qty is not None:
                    leaves = item.leaves_qty if leaves is None else min(leaves, item.leaves_qty)
                ts_ms = max(ts_ms, item.execution.ts_ms)
        if not filled:
            return None
        # Without the order's own row only a complete fill proves that it has ended.
        status = OrderStatus.FILLED if leaves == 0 else OrderStatus.PARTIALLY_FILLED
        return OrderUpdate(
            client_order_id=wanted,
            status=status,
            filled_qty=filled,
            ts_ms=ts_ms,
            detail="known by its executions",
        )


def _created(answer: Answer) -> tuple[str | None, str]:
    """Return our id and the venue's id of an order that was just accepted."""
    row = Row("order/create", answer.result)
    return row.text_if_any("orderLinkId"), row.text("orderId")


def _orders(answer: Answer) -> list[VenueOrder]:
    return [order_of(row) for row in Row("order", answer.result).rows("list")]


def _strongest(updates: Sequence[OrderUpdate]) -> OrderUpdate | None:
    """Return all evidence about one order merged into one update."""
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
    # If the venue ignored the filter, our order could be on a page that is not read.
    others = [name for name in found if name != wanted]
    if others:
        raise BadDataError(f"requested order {wanted}, the venue answered for {others[0]}")
