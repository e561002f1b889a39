"""Orders: ids without chance, and a state that does not care in which order news arrive."""

import re
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market.instruments import Side
from domain.trading.order import Order
from domain.trading.orders import (
    INTENDED,
    Intent,
    OrderRequest,
    OrderState,
    OrderStatus,
    OrderUpdate,
    Purpose,
    client_order_id,
    is_our_id,
)
from tests.domain.builders import CANDLE_MS, NOON_MS

TERMINAL = {OrderStatus.VOID, OrderStatus.REJECTED, OrderStatus.CANCELED, OrderStatus.FILLED}

updates = st.builds(
    OrderUpdate,
    client_order_id=st.just("BTC-1-entry-1"),
    status=st.sampled_from(OrderStatus),
    filled_qty=st.decimals(min_value=0, max_value=10, places=1),
    ts_ms=st.integers(min_value=0, max_value=99),
)


def after(news: list[OrderUpdate], state: OrderState = INTENDED) -> OrderState:
    for update in news:
        state = state.apply(update)
    return state


def news(status: OrderStatus, filled: int = 0) -> OrderUpdate:
    return OrderUpdate(
        client_order_id="BTC-1-entry-1", status=status, filled_qty=Decimal(filled), ts_ms=0
    )


@given(st.lists(updates, max_size=8), st.randoms(use_true_random=False))
def test_updates_in_any_order_and_repeated_end_in_one_state(heard, random) -> None:
    again = [*heard, *random.choices(heard, k=3)] if heard else []
    random.shuffle(again)

    assert after(again) == after(heard)


@settings(max_examples=200)
@given(st.lists(updates, max_size=8), updates)
def test_no_terminal_state_is_left_but_for_void_which_the_venue_overrules(heard, last) -> None:
    before = after(heard)
    state = before.apply(last)

    if before.status in TERMINAL - {OrderStatus.VOID}:
        assert state.is_terminal
        assert state.status is not OrderStatus.VOID
    if before.status is OrderStatus.FILLED:
        assert state.status is OrderStatus.FILLED
    assert state.filled_qty >= before.filled_qty


@given(st.lists(updates, max_size=8))
def test_filled_qty_is_the_largest_that_was_heard(heard) -> None:
    assert after(heard).filled_qty == max([Decimal(0), *(update.filled_qty for update in heard)])


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        (OrderStatus.INTENDED, OrderStatus.UNKNOWN),
        (OrderStatus.UNKNOWN, OrderStatus.VOID),
        (OrderStatus.VOID, OrderStatus.ACCEPTED),
        (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED),
        (OrderStatus.PARTIALLY_FILLED, OrderStatus.REJECTED),
        (OrderStatus.REJECTED, OrderStatus.CANCELED),
        (OrderStatus.CANCELED, OrderStatus.FILLED),
    ],
)
def test_stronger_evidence_holds_whichever_came_first(weaker, stronger) -> None:
    for order in permutations([news(weaker), news(stronger)]):
        assert after(list(order)).status is stronger


def test_only_filled_canceled_rejected_and_void_are_terminal() -> None:
    terminal = {status for status in OrderStatus if OrderState(status=status).is_terminal}

    assert terminal == TERMINAL


def test_order_is_under_way_until_its_news_are_terminal() -> None:
    request = OrderRequest(
        client_order_id="BTC-1-entry-1",
        asset="BTC",
        side=Side.SELL,
        qty=Decimal(1),
        reduce_only=False,
    )
    intent = Intent(
        request=request,
        decided_ms=NOON_MS,
        purpose=Purpose.ENTRY,
        attempt=1,
        reason=None,
        signal_ms=NOON_MS,
        protection_epoch=0,
    )

    order = Order(intent=intent)
    filled = order.apply(news(OrderStatus.ACCEPTED)).apply(news(OrderStatus.FILLED, 1))

    assert order.client_order_id == "BTC-1-entry-1"
    assert order.is_under_way
    assert order.apply(news(OrderStatus.ACCEPTED)).is_under_way
    assert not filled.is_under_way
    assert filled.state.filled_qty == 1


# "-" and digits in a name are the ones that could be taken for the rest of the id.
names = st.text(alphabet="AB1-_", min_size=1, max_size=8)
keys = st.tuples(
    names,
    st.integers(min_value=0, max_value=20_000_000).map(lambda candles: candles * CANDLE_MS),
    st.sampled_from(Purpose),
    st.integers(min_value=1, max_value=9999),
)


@settings(max_examples=300)
@given(keys, keys)
def test_id_is_the_same_for_one_decision_and_another_for_another(one, other) -> None:
    assert client_order_id(*one) == client_order_id(*one)
    assert (client_order_id(*one) == client_order_id(*other)) == (one == other)


@given(
    st.text(max_size=40), st.integers(0, 10**14), st.sampled_from(Purpose), st.integers(0, 10**9)
)
def test_id_keeps_the_rule_of_the_venue_or_is_refused(asset, t_ms, purpose, attempt) -> None:
    try:
        made = client_order_id(asset, t_ms, purpose, attempt)
    except ValueError as error:
        assert "must be 1 to 36" in str(error)  # noqa: PT017
    else:
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,36}", made)


def test_id_names_asset_second_purpose_and_attempt() -> None:
    assert client_order_id("BTC", 1_744_802_700_000, Purpose.EMERGENCY, 2) == (
        "BTC-1744802700-emerg-2"
    )


@pytest.mark.parametrize("asset", ["B C", "BTC\n", "Ä", "B/C", "B" * 18])
def test_id_of_a_name_that_the_venue_would_refuse_is_refused(asset: str) -> None:
    with pytest.raises(ValueError, match="must be 1 to 36"):
        client_order_id(asset, NOON_MS, Purpose.EMERGENCY, 1)


def test_id_of_36_characters_is_allowed() -> None:
    assert len(client_order_id("B" * 17, NOON_MS, Purpose.EMERGENCY, 1)) == 36


@given(
    asset=st.sampled_from(["BTC", "ETH", "1000PEPE"]),
    decided_ms=st.integers(0, 4_102_444_800_000),
    purpose=st.sampled_from(list(Purpose)),
    attempt=st.integers(1, 999),
)
def test_every_id_that_we_make_is_known_as_ours_and_no_other_assets(
    asset: str, decided_ms: int, purpose: Purpose, attempt: int
) -> None:
    made = client_order_id(asset, decided_ms, purpose, attempt)

    assert is_our_id(asset, made)
    assert not is_our_id("SOL", made)


@pytest.mark.parametrize(
    "found", [None, "", "my-own", "BTC", "BTC-1-entry", "BTC-1-entry-1x", "BTC-1-other-1"]
)
def test_an_id_of_somebody_else_is_not_ours(found: str | None) -> None:
    assert not is_our_id("BTC", found)
