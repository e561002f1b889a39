"""The judge finds what is wrong: a run in order, and one broken promise at a time."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.market.instruments import Side
from domain.operator.commands import CommandName, OperatorCommand
from domain.portfolio.protection import initial_state
from domain.rules import TradingRules
from domain.trading.decisions import Approval
from domain.trading.intents import close_intent, entry_intent
from domain.trading.order import Order
from domain.trading.orders import ExitReason, OrderStatus, OrderUpdate, Purpose
from domain.trading.positions import Execution, ExecutionKind, Trade, book
from infra.settings import load_settings
from tests.chaos.harness.invariants import differences, violations
from tests.chaos.harness.journal_view import JournalView

T_MS = 1_744_802_700_000
CANDLE_MS = 300_000
NAKED_MS = 10_000.0


@pytest.fixture(scope="module")
def rules() -> TradingRules:
    return load_settings(None, environ={}, dotenv=None).trading_rules()


class Case:
    """One short trade as the exchange and the journal have it."""

    def __init__(self, rules: TradingRules) -> None:
        self.rules = rules
        approval = Approval(
            asset="BTC",
            t_ms=T_MS,
            qty=Decimal("0.1"),
            price=Decimal(80_000),
            signal_ms=T_MS,
            protection_epoch=0,
        )
        entry = entry_intent(approval, rules)
        opened = self._execution("e1", Side.SELL, "80000", 1_000, entry.request.client_order_id)
        position = book(None, replace(opened, decided_ms=T_MS, signal_ms=T_MS)).position
        assert position is not None
        close = close_intent(
            position,
            decided_ms=T_MS + CANDLE_MS,
            purpose=Purpose.EXIT,
            reason=ExitReason.REGIME,
            attempt=1,
        )
        closed = self._execution(
            "e2", Side.BUY, "79000", CANDLE_MS + 1_000, close.request.client_order_id
        )
        executions = [
            replace(opened, decided_ms=T_MS, signal_ms=T_MS),
            replace(closed, decided_ms=T_MS + CANDLE_MS, reason=ExitReason.REGIME),
        ]
        trade = book(position, executions[1]).trade
        assert trade is not None
        updates = [
            (5, self._filled(entry.request.client_order_id)),
            (8, self._filled(close.request.client_order_id)),
        ]
        orders = {
            intent.request.client_order_id: Order(intent=intent).apply(update)
            for intent, (_, update) in zip((entry, close), updates, strict=True)
        }
        self.journal = JournalView(
            executions=[(4, executions[0]), (7, executions[1])],
            orders=orders,
            updates=updates,
            intended_ms=dict.fromkeys(orders, T_MS),
            intended_at=dict(zip(orders, (3, 6), strict=True)),
            approvals=[(2, approval)],
            samples=[(1, initial_state(Decimal(10_000), T_MS))],
            trades=[trade],
        )
        fees = sum(execution.fee for execution in executions)
        self.state: dict[str, Any] = {
            "wallet": str(10_000 + 100 - fees),
            "positions": [],
        }
        self.records: dict[str, Any] = {
            "orders": [self._order(order, T_MS + 500) for order in orders.values()],
            "executions": [self._row(execution) for execution in executions],
            "stops": [
                self._stops(T_MS + 1_000, "-0.1", "81200"),
                self._stops(T_MS + CANDLE_MS + 1_000, "0", None),
            ],
        }

    def differences(self) -> list[str]:
        return differences(self.state, self.records, self.journal, self.rules)

    def violations(self) -> list[str]:
        return violations(self.records, self.journal, self.rules, unprotected_limit_ms=NAKED_MS)

    def change(self, **parts: object) -> None:
        self.journal = replace(self.journal, **parts)  # type: ignore[arg-type]

    @staticmethod
    def _execution(exec_id: str, side: Side, price: str, after_ms: int, order_id: str) -> Execution:
        return Execution(
            exec_id=exec_id,
            asset="BTC",
            ts_ms=T_MS + after_ms,
            kind=ExecutionKind.TRADE,
            side=side,
            qty=Decimal("0.1"),
            price=Decimal(price),
            fee=Decimal("4.4"),
            client_order_id=order_id,
        )

    @staticmethod
    def _filled(order_id: str) -> OrderUpdate:
        return OrderUpdate(
            client_order_id=order_id,
            status=OrderStatus.FILLED,
            filled_qty=Decimal("0.1"),
            ts_ms=T_MS + 1_000,
        )

    @staticmethod
    def _order(order: Order, created_ms: int) -> dict[str, Any]:
        return {
            "orderLinkId": order.client_order_id,
            "side": order.intent.request.side.title(),
            "orderStatus": "Filled",
            "createdTime": str(created_ms),
            "qty": str(order.intent.request.qty),
        }

    @staticmethod
    def _row(execution: Execution) -> dict[str, Any]:
        return {
            "execId": execution.exec_id,
            "symbol": "BTCUSDT",
            "execQty": str(execution.qty),
            "execPrice": str(execution.price),
            "execFee": str(execution.fee),
        }

    @staticmethod
    def _stops(ts_ms: int, signed_qty: str, stop_loss: str | None) -> dict[str, Any]:
        return {
            "ts_ms": ts_ms,
            "symbol": "BTCUSDT",
            "signed_qty": signed_qty,
            "stop_loss": stop_loss,
        }


def test_a_run_in_order_has_nothing_to_complain_of(rules: TradingRules) -> None:
    case = Case(rules)

    assert case.differences() == []
    assert case.violations() == []


def test_the_exchange_may_cut_a_close_to_what_is_left(rules: TradingRules) -> None:
    case = Case(rules)
    close = case.records["orders"][1]

    close["qty"] = "0.05"
    cut = case.violations()
    close["qty"] = "0.2"
    grown = case.violations()

    assert cut == []
    assert any("was sent with 0.2, intended 0.1" in found for found in grown)


def lose_execution(case: Case) -> None:
    case.change(executions=case.journal.executions[:1], trades=[])


def invent_execution(case: Case) -> None:
    case.records["executions"].pop()


def book_at_another_price(case: Case) -> None:
    case.records["executions"][1]["execPrice"] = "78999"


def lose_money(case: Case) -> None:
    case.state["wallet"] = "10091.10"


def hold_unbooked(case: Case) -> None:
    case.state["positions"].append({"symbol": "ETHUSDT", "size": "1", "side": "Sell"})


def leave_unproven(case: Case) -> None:
    orders = dict(case.journal.orders)
    order_id, order = next(iter(orders.items()))
    orders[order_id] = Order(intent=order.intent)
    case.change(orders=orders)


def book_twice(case: Case) -> None:
    case.change(executions=[*case.journal.executions, case.journal.executions[0]])


def stand_after_a_panic(case: Case) -> None:
    lose_execution(case)
    command(case, CommandName.PANIC)
    fact_id, panic = case.journal.commands[0]
    case.change(commands=((fact_id, replace(panic, ts_ms=T_MS + CANDLE_MS)),))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lose_execution, "execution e2 was never booked"),
        (invent_execution, "execution e2 is booked, but the exchange does not know it"),
        (book_at_another_price, "execution e2 was booked otherwise"),
        (lose_money, "the balance is 10091.10 at the exchange"),
        (hold_unbooked, "ETH: -1 at the exchange, 0 in the books"),
        (leave_unproven, "BTC-1744802700-entry-1 is still INTENDED"),
        (book_twice, "1 executions were booked twice"),
        (stand_after_a_panic, "BTC still stands after a panic"),
    ],
)
def test_a_difference_is_found(
    rules: TradingRules, harm: Callable[[Case], None], words: str
) -> None:
    case = Case(rules)
    harm(case)

    assert any(words in found for found in case.differences())


def send_twice(case: Case) -> None:
    case.records["orders"].append(deepcopy(case.records["orders"][0]))


def send_without_intent(case: Case) -> None:
    case.records["orders"][0]["orderLinkId"] = "BTC-1744800000-entry-1"


def send_before_the_intent(case: Case) -> None:
    case.change(intended_ms=dict.fromkeys(case.journal.orders, T_MS + 60000))


def send_without_grant(case: Case) -> None:
    case.change(approvals=[])


def send_another_qty(case: Case) -> None:
    case.records["orders"][0]["qty"] = "0.2"


def stand_naked(case: Case) -> None:
    case.records["stops"][0]["stop_loss"] = None


def end_naked(case: Case) -> None:
    case.records["stops"][1:] = [Case._stops(T_MS + 9_000, "-0.1", None)]


def grant_too_much(case: Case) -> None:
    fact_id, approval = case.journal.approvals[0]
    case.change(approvals=[(fact_id, replace(approval, price=Decimal(300_000)))])


def forget_a_trade(case: Case) -> None:
    case.change(trades=[])


def use_a_cross_twice(case: Case) -> None:
    orders = dict(case.journal.orders)
    entry = next(iter(orders.values()))
    orders["BTC-1744803000-entry-1"] = entry
    case.change(orders=orders)


def samples(case: Case, **later: object) -> None:
    first = replace(
        case.journal.samples[0][1], is_halted=True, epoch=2, cooldown_end_ms=T_MS + CANDLE_MS
    )
    case.change(samples=[(9, first), (10, replace(first, **later))])  # type: ignore[arg-type]


def before_the_entry(case: Case, **what: object) -> None:
    case.change(samples=[(1, replace(case.journal.samples[0][1], **what))])  # type: ignore[arg-type]


def command(case: Case, name: CommandName, argument: str = "", fact_id: int = 1) -> None:
    found = OperatorCommand(
        command=name, arguments=argument, operator="me", result="", ts_ms=T_MS, is_done=True
    )
    case.change(commands=(*case.journal.commands, (fact_id, found)))


def accept_after_all(case: Case) -> None:
    orders = dict(case.journal.orders)
    order_id, order = next(iter(orders.items()))
    void = OrderUpdate(
        client_order_id=order_id, status=OrderStatus.VOID, filled_qty=Decimal(0), ts_ms=T_MS
    )
    orders[order_id] = Order(intent=order.intent).apply(void)
    case.change(orders=orders)


def grant_in_a_cooldown(case: Case) -> None:
    trade: Trade = replace(
        case.journal.trades[0], entry_ms=T_MS - 3 * CANDLE_MS, exit_ms=T_MS - 2 * CANDLE_MS
    )
    case.change(trades=[trade])


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (send_twice, "BTC-1744802700-entry-1 was accepted 2 times"),
        (send_without_intent, "BTC-1744800000-entry-1 was sent without an intent"),
        (send_before_the_intent, "was sent before its intent was stored"),
        (send_without_grant, "BTC-1744802700-entry-1 was sent without a grant"),
        (send_another_qty, "was sent with 0.2, intended 0.1"),
        (stand_naked, "BTCUSDT stood 300 s without a stop"),
        (end_naked, "BTCUSDT stands without a stop"),
        (grant_too_much, "was granted at an exposure of 30000"),
        (forget_a_trade, "0 trades are stored, the executions make 1"),
        (use_a_cross_twice, "the cross of 1744802700000 was used 2 times"),
        (lambda case: samples(case, is_halted=False), "a halt was forgotten"),
        (lambda case: samples(case, epoch=1), "the protection epoch fell from 2 to 1"),
        (lambda case: samples(case, peak_equity=Decimal(9)), "the peak fell from 10000 to 9"),
        (lambda case: samples(case, day_start_equity=Decimal(9)), "the start of day"),
        (lambda case: samples(case, day=0), "day 0 followed"),
        (lambda case: samples(case, cooldown_end_ms=0), "cooldown of the portfolio was forgotten"),
        (lambda case: before_the_entry(case, is_halted=True), "entry-1 was sent during a halt"),
        (lambda case: before_the_entry(case, epoch=1), "was sent in epoch 1, granted in an older"),
        (
            lambda case: before_the_entry(case, cooldown_end_ms=T_MS + 1),
            "entry-1 was granted in a cooldown of the portfolio",
        ),
        (lambda case: command(case, CommandName.PANIC), "entry-1 was sent during a panic"),
        (lambda case: command(case, CommandName.PAUSE, "BTC"), "was sent during a pause"),
        (accept_after_all, "entry-1 was accepted, though it ended as VOID"),
        (grant_in_a_cooldown, "BTC-1744802700-entry-1 was granted in a cooldown"),
    ],
)
def test_a_broken_promise_is_found(
    rules: TradingRules, harm: Callable[[Case], None], words: str
) -> None:
    case = Case(rules)
    harm(case)

    assert any(words in found for found in case.violations())


def test_what_a_command_has_ended_was_not_forgotten(rules: TradingRules) -> None:
    case = Case(rules)
    plain = case.journal.samples[0][1]
    halted = replace(plain, is_halted=True, peak_equity=Decimal(20_000))
    case.change(samples=[(-9, halted), (1, plain)])
    for place, name in enumerate((CommandName.PAUSE, CommandName.RESUME)):
        command(case, name, "all", fact_id=place - 8)
    for place, name in enumerate((CommandName.PANIC, CommandName.REARM)):
        command(case, name, fact_id=place - 6)

    assert case.violations() == []
