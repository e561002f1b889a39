"""The state table in the docstring of `orders.py` is what the code does, cell by cell."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.core.messages import Message
from actors.execution import orders as orders_module
from actors.execution.actor import ExecutionActor
from actors.execution.orders import UNREAD_SENDS, Orders
from domain.errors import OrderNotProcessedError, OrderRefusedError, OutcomeUnknownError
from domain.trading.books import Books
from domain.trading.intents import entry_intent
from domain.trading.order import Order
from domain.trading.orders import Intent, OrderState, OrderStatus, Purpose
from domain.trading.positions import Execution, ExecutionKind
from tests.actors.test_execution import (
    GRANT,
    RULES,
    T_MS,
    ExecutionContext,
    FakeExchange,
    desk_in,
    news,
)

TABLE, SOURCES = (part.splitlines() for part in str(orders_module.__doc__).split("\n\n")[2:4])
COLUMNS = [column.strip() for column in TABLE[0].split("  ") if column.strip()][1:]
ROWS = {line.split()[0]: dict(zip(COLUMNS, line.split()[1:], strict=True)) for line in TABLE[1:]}
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Drive(Message):
    """Have the execution do something with its orders."""

    act: Callable[[FakeExchange, Orders, Books], object]


class DrivenExecution(ExecutionActor):
    """Does what it is told to with its orders."""

    def handle(self, message: Message) -> Any:
        if isinstance(message, Drive):
            return message.act(self._exchange, self._orders, self._books)
        return super().handle(message)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ExecutionContext]:
    yield from desk_in(tmp_path, FakeExchange(), actor=DrivenExecution)


def execution_of(order: Order, qty: Decimal) -> Execution:
    return Execution(
        exec_id=f"fill of {order.client_order_id}",
        asset="BTC",
        ts_ms=T_MS,
        kind=ExecutionKind.TRADE,
        side=order.intent.request.side,
        qty=qty,
        price=Decimal(84000),
        client_order_id=order.client_order_id,
    )


def send(answer: Exception | None) -> Callable[[FakeExchange, Orders, Order], object]:
    def act(exchange: FakeExchange, orders: Orders, order: Order) -> object:
        exchange.answers = [] if answer is None else [answer]
        return orders.send(order.intent)

    return act


def hear(status: OrderStatus) -> Callable[[FakeExchange, Orders, Order], object]:
    return lambda _, orders, order: orders.hear(news(order.client_order_id, status))


def book(share: Decimal) -> Callable[[FakeExchange, Orders, Order], object]:
    return lambda _, orders, order: orders.book(
        execution_of(order, order.intent.request.qty * share)
    )


EVENTS: dict[tuple[str, str], Callable[[FakeExchange, Orders, Order], object]] = {
    ("no answer", "send"): send(OutcomeUnknownError("lost")),
    ("void", "give_up"): lambda _, orders, order: orders.give_up(order, "too late"),
    ("accepted", "send"): send(None),
    ("accepted", "hear"): hear(OrderStatus.ACCEPTED),
    ("partly filled", "hear"): hear(OrderStatus.PARTIALLY_FILLED),
    ("partly filled", "book"): book(Decimal("0.5")),
    ("refused", "send"): send(OrderRefusedError("no")),
    ("refused", "hear"): hear(OrderStatus.REJECTED),
    ("canceled", "hear"): hear(OrderStatus.CANCELED),
    ("filled", "hear"): hear(OrderStatus.FILLED),
    ("filled", "book"): book(Decimal(1)),
}


def ask(desk: ExecutionContext, act: Callable[[FakeExchange, Orders, Books], object]) -> Any:
    """Return what the execution finds, in its own thread."""
    execution = desk.system.address("execution/BTC")
    return execution.ask(Drive(act=act), sender="test", timeout_s=30)


def entry(number: int) -> Intent:
    return entry_intent(replace(GRANT, t_ms=T_MS + 1_000 * number), RULES)


def cell(number: int, stands: str, event: str, by: str) -> Any:
    def act(exchange: FakeExchange, orders: Orders, books: Books) -> OrderStatus:
        intent = entry(number)
        orders.intend(intent)
        order = Order(intent=intent, state=OrderState(status=OrderStatus(stands)))
        books.orders[order.client_order_id] = order
        EVENTS[event, by](exchange, orders, order)
        return books.orders[order.client_order_id].state.status

    return act


def test_each_cell_of_the_state_table_is_what_each_source_of_its_event_does(
    desk: ExecutionContext,
) -> None:
    cells = [(stands, event, by) for stands in ROWS for event, by in EVENTS]
    for number, (stands, event, by) in enumerate(cells):
        expected = stands if ROWS[stands][event] == "-" else ROWS[stands][event]
        found = ask(desk, cell(number, stands, event, by))
        assert found == expected, f"{stands}, {event}, by {by}"


def test_the_table_has_each_status_and_each_event_with_all_its_sources() -> None:
    named = {
        (line[:18].strip(), method)
        for line in SOURCES[1:]
        for method in line[18:].strip().split(", ")
    }

    assert list(ROWS) == [status.value for status in OrderStatus]
    assert named == set(EVENTS)
    assert [line[:18].strip() for line in SOURCES[1:]] == COLUMNS


def test_an_order_begins_intended_or_void(desk: ExecutionContext) -> None:
    def begin(_: FakeExchange, orders: Orders, books: Books) -> tuple[OrderStatus, OrderStatus]:
        intended, void = entry(0), entry(1)
        orders.intend(intended)
        orders.void(void, "never sent")
        found = (books.orders[intent.request.client_order_id] for intent in (intended, void))
        first, second = (order.state.status for order in found)
        return first, second

    assert ask(desk, begin) == (OrderStatus.INTENDED, OrderStatus.VOID)


@pytest.mark.parametrize("purpose", [Purpose.ENTRY, Purpose.EXIT])
def test_an_order_not_looked_at_is_rejected_if_it_is_an_entry_and_else_unknown_for_a_while(
    desk: ExecutionContext, purpose: Purpose
) -> None:
    def drive(exchange: FakeExchange, orders: Orders, books: Books) -> list[OrderStatus]:
        intent = replace(entry(0), purpose=purpose)
        orders.intend(intent)
        found = []
        for _ in range(UNREAD_SENDS + 1):
            exchange.answers = [OrderNotProcessedError("busy")]
            orders.send(intent)
            found.append(books.orders[intent.request.client_order_id].state.status)
        return found

    unknown = 0 if purpose is Purpose.ENTRY else UNREAD_SENDS
    found = ask(desk, drive)
    assert found == [OrderStatus.UNKNOWN] * unknown + [OrderStatus.REJECTED] * (
        UNREAD_SENDS + 1 - unknown
    )


def test_only_the_methods_of_the_table_change_an_order() -> None:
    """Whoever writes into the orders of the books, or applies news, is in one of two files."""
    changing = {}
    for path in [*ROOT.glob("actors/**/*.py"), *ROOT.glob("domain/trading/*.py")]:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and any(map(_sets_order, ast.walk(function))):
                changing.setdefault(path.relative_to(ROOT).as_posix(), set()).add(function.name)

    assert changing == {
        "actors/execution/orders.py": {"intend", "apply", "void"},
        "domain/trading/books.py": {"post"},
    }


def _sets_order(node: ast.AST) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(
        isinstance(target, ast.Subscript)
        and isinstance(target.value, ast.Attribute)
        and target.value.attr == "orders"
        for target in targets
    )
