"""The simulated exchange: stops, gaps, slippage, fees, funding and reduce-only orders."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtesting.plain_loop import InsideCandle
from domain.market.funding import funding_rate
from domain.market.instruments import HOUR_MS, Candle, Side
from domain.trading.matching import CandlePrices, MatchingEngine
from domain.trading.orders import ExitReason, OrderRequest, OrderStatus
from domain.trading.positions import Execution, ExecutionKind
from domain.trading.sizing import ProtectiveLevels
from domain.trading.trailing import first_stop
from tests.domain.builders import CANDLE_MS, NOON_MS, RULES, changed, dec

FREE = changed(fills={"slippage_fraction": Decimal(0), "taker_fee_rate": Decimal(0)}).fills
"""Without costs, so that a fill's price is the one it was triggered at."""
STOPS = ProtectiveLevels(stop_loss=Decimal(102), take_profit=Decimal(94))
FUNDING_MS = NOON_MS + 4 * HOUR_MS


def order(number: int, side: Side = Side.SELL, qty: object = 1, **fields: Any) -> OrderRequest:
    values = {"asset": "BTC", "reduce_only": False, **fields}
    return OrderRequest(client_order_id=f"id-{number}", side=side, qty=dec(qty), **values)


def with_short(qty: object = 1, price: object = 100, rules: Any = FREE) -> MatchingEngine:
    engine = MatchingEngine(rules)
    engine.submit(order(1, qty=qty), NOON_MS)
    engine.fill("id-1", dec(price), NOON_MS)
    engine.set_stops("BTC", STOPS)
    return engine


def candle(open_: object, high: object, low: object, close: object | None = None) -> CandlePrices:
    return CandlePrices(
        open=dec(open_), high=dec(high), low=dec(low), close=dec(open_ if close is None else close)
    )


@pytest.mark.parametrize(
    ("prices", "reason", "filled_at"),
    [
        (candle(100, "101.99", "94.01"), None, None),
        (candle(100, 102, 95), ExitReason.STOP_LOSS, 102),
        (candle(100, 103, 95), ExitReason.STOP_LOSS, 102),
        (candle(103, 104, 95), ExitReason.STOP_LOSS, 103),  # a gap: filled at the open
        (candle(100, 101, 94), ExitReason.TAKE_PROFIT, 94),
        (candle(100, 101, 93), ExitReason.TAKE_PROFIT, 94),
        (candle(93, 95, 92), ExitReason.TAKE_PROFIT, 93),
        (candle(100, 102, 94), ExitReason.STOP_LOSS, 102),  # both: the stop loss first
        (candle(93, 102, 92), ExitReason.STOP_LOSS, 102),
    ],
)
def test_stops_of_a_short_are_reached_by_the_candle(prices, reason, filled_at) -> None:
    engine = with_short()

    events = engine.trade_through("BTC", prices, NOON_MS + CANDLE_MS)

    assert [(event.reason, event.price) for event in events] == (
        [] if reason is None else [(reason, filled_at)]
    )
    assert ("BTC" in engine.positions) == (reason is None)
    assert ("BTC" in engine.stops) == (reason is None)


@pytest.mark.parametrize(
    ("prices", "reason", "filled_at"),
    [
        (candle(100, "105.99", "98.01"), None, None),
        (candle(100, 101, 98), ExitReason.STOP_LOSS, 98),
        (candle(97, 101, 96), ExitReason.STOP_LOSS, 97),
        (candle(100, 106, 99), ExitReason.TAKE_PROFIT, 106),
        (candle(107, 108, 99), ExitReason.TAKE_PROFIT, 107),
    ],
)
def test_stops_of_a_long_are_reached_by_the_candle(prices, reason, filled_at) -> None:
    engine = MatchingEngine(FREE)
    engine.submit(order(1, Side.BUY), NOON_MS)
    engine.fill("id-1", Decimal(100), NOON_MS)
    engine.set_stops("BTC", ProtectiveLevels(stop_loss=Decimal(98), take_profit=Decimal(106)))

    events = engine.trade_through("BTC", prices, NOON_MS + CANDLE_MS)

    assert [(event.reason, event.price) for event in events] == (
        [] if reason is None else [(reason, filled_at)]
    )


def test_fill_is_worse_by_the_slippage_and_costs_the_taker_fee() -> None:
    engine = with_short(2, 100, RULES.fills)
    (stop,) = engine.trade_through("BTC", candle(100, 103, 99), NOON_MS + CANDLE_MS)
    opened = engine.executions("BTC")[0]

    assert opened.price == Decimal("99.98")
    assert opened.fee == Decimal("99.98") * 2 * Decimal("0.00055")
    assert (opened.client_order_id, opened.reason, opened.ts_ms) == ("id-1", None, NOON_MS)
    assert stop.price == Decimal("102.0204")
    assert stop.fee == Decimal("102.0204") * 2 * Decimal("0.00055")
    assert (stop.client_order_id, stop.qty, stop.side) == (None, 2, Side.BUY)
    assert stop.ts_ms == NOON_MS + CANDLE_MS
    assert engine.wallet == 10_000 + 2 * (opened.price - stop.price) - opened.fee - stop.fee


@pytest.mark.parametrize(
    ("side", "rate", "received"),
    [
        (Side.SELL, "0.0001", "0.022"),
        (Side.SELL, "-0.0001", "-0.022"),
        (Side.BUY, "0.0001", "-0.022"),
    ],
)
def test_short_receives_a_positive_funding_rate_on_its_notional_at_the_open(
    side, rate, received
) -> None:
    engine = MatchingEngine(FREE)
    engine.submit(order(1, side, 2), NOON_MS)
    engine.fill("id-1", Decimal(100), NOON_MS)

    (paid,) = engine.settle_funding("BTC", Decimal(110), Decimal(rate), NOON_MS + 1)

    assert (paid.kind, paid.funding, paid.qty) == (ExecutionKind.FUNDING, Decimal(received), 2)
    assert paid.fee == 0
    assert engine.wallet == 10_000 + Decimal(received)
    assert engine.positions["BTC"].qty == 2


def test_flat_asset_pays_no_funding_and_has_no_stops() -> None:
    engine = MatchingEngine(FREE)

    engine.set_stops("BTC", STOPS)

    assert engine.stops == {}
    assert engine.settle_funding("BTC", Decimal(1), Decimal(1), NOON_MS) == []
    assert engine.trade_through("BTC", candle(100, 200, 1), NOON_MS) == []


@pytest.mark.parametrize(
    ("open_time_ms", "due"),
    [
        (FUNDING_MS, True),
        (FUNDING_MS + CANDLE_MS, False),
        (FUNDING_MS - CANDLE_MS, False),
        (NOON_MS, False),
        (NOON_MS + 12 * HOUR_MS, True),
    ],
)
def test_funding_is_due_at_0_8_and_16_o_clock(open_time_ms: int, due: bool) -> None:
    assert (funding_rate(open_time_ms, RULES.fills.funding) is not None) == due


def candle_at(open_time_ms: int, high: float) -> Candle:
    return Candle(
        open_time_ms=open_time_ms,
        close_time_ms=open_time_ms + CANDLE_MS,
        open=100.0,
        high=high,
        low=99.0,
        close=100.0,
        volume=1.0,
    )


def test_position_filled_at_a_candles_open_gets_its_funding_and_then_its_stop() -> None:
    engine = MatchingEngine(FREE)
    engine.submit(order(1), FUNDING_MS)
    engine.fill("id-1", Decimal(100), FUNDING_MS)
    engine.set_stops("BTC", STOPS)

    inside = InsideCandle(engine, RULES, candle_at(FUNDING_MS, 103))
    events, _ = inside.events(engine.positions["BTC"], first_stop(engine.positions["BTC"], RULES))

    assert [event.kind for event in events] == [ExecutionKind.FUNDING, ExecutionKind.TRADE]
    assert [event.ts_ms for event in events] == [FUNDING_MS, FUNDING_MS + CANDLE_MS]
    assert events[0].funding == Decimal("0.01")
    assert engine.wallet == 10_000 + Decimal("0.01") - 2


def test_candle_that_opens_at_no_settlement_brings_no_funding() -> None:
    engine = with_short()

    position = engine.positions["BTC"]
    inside = InsideCandle(engine, RULES, candle_at(NOON_MS, 101))
    assert inside.events(position, first_stop(position, RULES)) == (
        [],
        first_stop(position, RULES),
    )


def test_order_rests_until_it_is_filled_whole() -> None:
    engine = MatchingEngine(FREE)

    accepted = engine.submit(order(1, qty=3), NOON_MS)
    resting = engine.resting()
    _, filled = engine.fill("id-1", Decimal(100), NOON_MS + 1)

    assert (accepted.status, accepted.filled_qty) == (OrderStatus.ACCEPTED, 0)
    assert [request.client_order_id for request in resting] == ["id-1"]
    assert (filled.status, filled.filled_qty, filled.ts_ms) == (OrderStatus.FILLED, 3, NOON_MS + 1)
    assert engine.order("id-1") == filled
    assert engine.order("id-2") is None
    assert engine.resting() == []


def test_id_cannot_be_used_twice() -> None:
    engine = with_short()

    with pytest.raises(ValueError, match="id-1 was used before"):
        engine.submit(order(1), NOON_MS)
    assert engine.resting() == []


def test_id_of_a_rejected_order_cannot_be_used_again() -> None:
    engine = MatchingEngine(FREE)
    engine.submit(order(1, qty=0), NOON_MS)

    with pytest.raises(ValueError, match="must be new"):
        engine.submit(order(1), NOON_MS)


@pytest.mark.parametrize(
    "refused", [order(1, qty=0), order(1, qty=-1), order(1, Side.BUY, reduce_only=True)]
)
def test_order_without_qty_or_with_nothing_to_reduce_is_rejected(refused) -> None:
    engine = MatchingEngine(FREE)

    update = engine.submit(refused, NOON_MS)

    assert update.status is OrderStatus.REJECTED
    assert update.detail
    assert engine.resting() == []


def test_reduce_only_order_is_cut_to_the_position() -> None:
    engine = with_short(2)
    engine.submit(order(2, Side.BUY, 5, reduce_only=True), NOON_MS)

    execution, filled = engine.fill("id-2", Decimal(100), NOON_MS)

    assert (execution.qty, filled.filled_qty) == (2, 2)
    assert engine.positions == {}
    assert engine.stops == {}


@pytest.mark.parametrize("side", Side)
def test_reduce_only_order_is_canceled_where_it_would_reduce_nothing(side: Side) -> None:
    engine = with_short()
    engine.submit(order(2, side, reduce_only=True), NOON_MS)
    if side is Side.BUY:
        engine.trade_through("BTC", candle(100, 103, 99), NOON_MS)
    wallet = engine.wallet

    (update,) = engine.fill("id-2", Decimal(50), NOON_MS)

    assert (update.status, update.filled_qty) == (OrderStatus.CANCELED, 0)
    assert engine.wallet == wallet


def test_part_of_a_position_keeps_its_stops() -> None:
    engine = with_short(3)
    engine.submit(order(2, Side.BUY, 1, reduce_only=True), NOON_MS)

    engine.fill("id-2", Decimal(100), NOON_MS)

    assert engine.positions["BTC"].qty == 2
    assert engine.stops == {"BTC": STOPS}


def test_stops_sent_with_an_order_stand_when_it_is_filled() -> None:
    engine = MatchingEngine(FREE)
    stops = {"stop_loss": STOPS.stop_loss, "take_profit": STOPS.take_profit}

    engine.submit(order(1, **stops), NOON_MS)
    before = dict(engine.stops)
    engine.fill("id-1", Decimal(100), NOON_MS)

    assert (before, engine.stops) == ({}, {"BTC": STOPS})


actions = st.lists(
    st.tuples(
        st.sampled_from(["BTC", "ETH"]),
        st.sampled_from([Side.SELL, Side.BUY, Side.BUY, "funding", "candle"]),
        st.integers(1, 4),
        st.integers(90, 110),
    ),
    max_size=20,
)


@settings(max_examples=150)
@given(actions)
def test_wallet_is_the_start_plus_all_trades_and_the_open_parts_and_flat_assets_have_no_stops(
    steps,
) -> None:
    engine = MatchingEngine(RULES.fills)
    told: list[Execution] = []

    for number, (asset, what, qty, price) in enumerate(steps):
        if what == "funding":
            events = engine.settle_funding(asset, dec(price), Decimal("0.0001"), NOON_MS)
        elif what == "candle":
            events = engine.trade_through(asset, candle(100, price + 5, price - 5), NOON_MS)
        elif what is Side.BUY or asset not in engine.positions:  # nothing is ever topped up
            reduces = what is Side.BUY
            update = engine.submit(order(number, what, qty, asset=asset, reduce_only=reduces), 0)
            if update.status is OrderStatus.REJECTED:
                continue
            events = engine.fill(f"id-{number}", dec(price), NOON_MS)
            engine.set_stops(asset, STOPS)
        else:
            continue
        told += [event for event in events if isinstance(event, Execution)]
        assert engine.stops.keys() <= engine.positions.keys()

    flow = Decimal(10_000)
    for execution in told:
        sign = {Side.SELL: 1, Side.BUY: -1}[execution.side]
        traded = execution.kind is ExecutionKind.TRADE
        flow += sign * execution.qty * execution.price if traded else 0
        flow += execution.funding - execution.fee
    held = sum((position.qty * 100 for position in engine.positions.values()), Decimal(0))
    unrealized = sum(
        (position.unrealized_pnl(Decimal(100)) for position in engine.positions.values()),
        Decimal(0),
    )
    assert abs(engine.wallet + unrealized - (flow - held)) < Decimal("1E-15")
    assert all(position.side is Side.SELL for position in engine.positions.values())
    for asset in ("BTC", "ETH"):
        heard = [execution for execution in told if execution.asset == asset]
        assert engine.executions(asset) == heard
        assert len({execution.exec_id for execution in heard}) == len(heard)


def test_fill_of_another_asset_leaves_this_one_alone() -> None:
    engine = with_short()
    engine.submit(order(2, asset="ETH"), NOON_MS)

    engine.fill("id-2", Decimal(100), NOON_MS)

    assert [len(engine.executions(asset)) for asset in ("BTC", "ETH", "SOL")] == [1, 1, 0]
    assert set(engine.positions) == {"BTC", "ETH"}
    assert set(engine.stops) == {"BTC"}


def test_an_execution_made_elsewhere_is_booked_like_one_of_the_engine() -> None:
    filled, booked = with_short(), MatchingEngine(FREE)

    for execution in filled.executions("BTC"):
        assert booked.book_execution(execution) is execution

    assert booked.positions == filled.positions
    assert booked.wallet == filled.wallet
    assert booked.executions("BTC") == filled.executions("BTC")
