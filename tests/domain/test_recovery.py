"""Executions of our own orders that the journal does not know."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.market.instruments import Side
from domain.trading.books import Books
from domain.trading.orders import ExitReason, Purpose, client_order_id, is_our_id, read_order_id
from domain.trading.positions import Execution, ExecutionKind
from domain.trading.recovery import lost_executions, recognized

T_MS = 1_746_100_800_000
HOUR_MS = 3_600_000
MAX_HOLD_MS = 24 * HOUR_MS


def executed(order_id: str | None, side: Side, ts_ms: int = T_MS, exec_id: str = "e") -> Execution:
    return Execution(
        exec_id=exec_id,
        asset="BTC",
        ts_ms=ts_ms,
        kind=ExecutionKind.TRADE,
        side=side,
        qty=Decimal("0.1"),
        price=Decimal(90_000),
        client_order_id=order_id,
        reason=None if side is Side.SELL else ExitReason.EXTERNAL,
    )


def books_with_entry(opened_ms: int) -> Books:
    order_id = client_order_id("BTC", opened_ms, Purpose.ENTRY, 1)
    entry = replace(executed(order_id, Side.SELL, opened_ms, "entry"), decided_ms=opened_ms)
    return Books([], [entry], opened_ms)


@given(
    asset=st.sampled_from(["BTC", "1000PEPE", "a-b"]),
    decided_s=st.integers(0, 10**10),
    purpose=st.sampled_from(list(Purpose)),
    attempt=st.integers(1, 99),
)
def test_property_an_id_says_what_it_was_made_of(
    asset: str, decided_s: int, purpose: Purpose, attempt: int
) -> None:
    made = client_order_id(asset, decided_s * 1000 + 999, purpose, attempt)

    found = read_order_id(asset, made)

    assert found is not None
    assert (found.decided_ms, found.purpose, found.attempt) == (decided_s * 1000, purpose, attempt)


@pytest.mark.parametrize(
    "text", [None, "", "BTC-1-entry", "BTC-1-entry-1x", "ETH-1-entry-1", "BTC-\u0661-entry-1", "x"]
)
def test_an_id_of_others_says_nothing(text: str | None) -> None:
    assert not is_our_id("BTC", text)
    entry = executed(text, Side.SELL)
    assert recognized(entry, Books([], [], T_MS), max_hold_ms=MAX_HOLD_MS) == entry


def test_a_lost_entry_is_a_decision_of_ours() -> None:
    entry = executed(client_order_id("BTC", T_MS, Purpose.ENTRY, 1), Side.SELL, T_MS + 700)

    found = recognized(entry, Books([], [], T_MS), max_hold_ms=MAX_HOLD_MS)

    assert (found.decided_ms, found.reason) == (T_MS, None)


@pytest.mark.parametrize(
    ("purpose", "held_ms", "reason"),
    [
        (Purpose.EXIT, MAX_HOLD_MS - 1000, ExitReason.REGIME),
        (Purpose.EXIT, MAX_HOLD_MS, ExitReason.TIME),
        (Purpose.OPERATOR, HOUR_MS, ExitReason.OPERATOR),
        (Purpose.NAKED, HOUR_MS, ExitReason.NAKED),
        (Purpose.EMERGENCY, HOUR_MS, ExitReason.MALFUNCTION),
    ],
)
def test_a_lost_close_has_the_reason_that_its_id_tells(
    purpose: Purpose, held_ms: int, reason: ExitReason
) -> None:
    decided_ms = T_MS + held_ms
    close = executed(client_order_id("BTC", decided_ms, purpose, 1), Side.BUY, decided_ms)

    found = recognized(close, books_with_entry(T_MS), max_hold_ms=MAX_HOLD_MS)

    assert (found.decided_ms, found.reason) == (decided_ms, reason)


def test_what_is_booked_or_of_others_is_not_lost() -> None:
    books = books_with_entry(T_MS)
    booked = executed(client_order_id("BTC", T_MS, Purpose.ENTRY, 1), Side.SELL, T_MS, "entry")
    lost = executed(client_order_id("BTC", T_MS, Purpose.EXIT, 1), Side.BUY, T_MS, "lost")
    foreign = executed(None, Side.BUY, T_MS, "foreign")

    assert list(lost_executions([booked, lost, foreign], books)) == [lost]
    assert books.newest_lost is not None  # the entry's order is not stored either
