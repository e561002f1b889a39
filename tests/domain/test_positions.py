"""Money adds up: what executions move is what positions and trades say."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market.instruments import MINUTE_MS, Side
from domain.trading.orders import ExitReason
from domain.trading.positions import Booked, Execution, ExecutionKind, Position, Trade, book
from tests.domain.builders import NOON_MS, fill, funding, short

CENT = Decimal("1E-15")
"""Far below any money, far above the rounding of 28 digits."""

sides = st.sampled_from(Side)
fills = st.builds(
    fill,
    sides,
    st.integers(1, 6),
    st.decimals(min_value=50, max_value=150, places=2),
    fee=st.decimals(min_value=0, max_value=2, places=3),
    ts_ms=st.integers(0, 100).map(lambda minutes: NOON_MS + minutes * MINUTE_MS),
    reason=st.sampled_from([None, *ExitReason]),
)
fundings = st.builds(funding, st.decimals(min_value=-2, max_value=2, places=3))
flows = st.lists(st.one_of(fills, fills, fundings), max_size=12)
marks = st.decimals(min_value=50, max_value=150, places=2)


def fold(
    executions: list[Execution], position: Position | None = None
) -> tuple[Position | None, Decimal, list[Trade]]:
    """Return the position after the executions, the cash they moved and the trades they ended."""
    cash, trades = Decimal(0), []
    for execution in executions:
        booked = book(position, execution)
        position, cash = booked.position, cash + booked.cash
        trades += [booked.trade] if booked.trade is not None else []
    return position, cash, trades


def signed(execution: Execution) -> Decimal:
    """Return the base units that a fill adds."""
    if execution.kind is ExecutionKind.FUNDING:
        return Decimal(0)
    return execution.qty if execution.side is Side.BUY else -execution.qty


def assert_near(one: object, other: object) -> None:
    """Hold two positions, trades or None equal, money up to the rounding of a division."""
    if one is None or other is None:
        assert one == other
        return
    for name in one.__slots__:
        left, right = getattr(one, name), getattr(other, name)
        if isinstance(left, Decimal):
            assert abs(left - right) < CENT, name
        else:
            assert left == right, name


@settings(max_examples=200)
@given(flows, marks)
def test_pnl_is_cash_flow_plus_holdings_for_any_executions(executions, mark) -> None:
    position, cash, _ = fold(executions)

    held = sum((signed(execution) for execution in executions), Decimal(0))
    paid = sum((signed(execution) * execution.price for execution in executions), Decimal(0))
    costs = sum((execution.fee - execution.funding for execution in executions), Decimal(0))
    unrealized = Decimal(0) if position is None else position.unrealized_pnl(mark)
    assert abs(cash + unrealized - (held * mark - paid - costs)) < CENT


@settings(max_examples=200)
@given(flows)
def test_position_is_the_sum_of_the_fills(executions) -> None:
    position, _, _ = fold(executions)

    held = sum((signed(execution) for execution in executions), Decimal(0))
    if held == 0:
        assert position is None
    else:
        assert position is not None
        assert position.qty == abs(held)
        assert position.side is (Side.BUY if held > 0 else Side.SELL)


@settings(max_examples=200)
@given(st.lists(fills, max_size=12))
def test_cash_of_executions_that_end_flat_is_the_pnl_of_their_trades(executions) -> None:
    held = sum((signed(execution) for execution in executions), Decimal(0))
    back = fill(Side.SELL if held > 0 else Side.BUY, abs(held), 100, fee=1)

    position, cash, trades = fold([*executions, back] if held else executions)

    assert position is None
    assert abs(cash - sum((trade.pnl for trade in trades), Decimal(0))) < CENT


def test_position_that_grows_after_a_partial_exit_still_adds_up() -> None:
    executions = [fill(Side.SELL, 2, 120), fill(Side.BUY, 1, 100), fill(Side.SELL, 1, 100)]

    position, cash, _ = fold(executions)

    assert position is not None
    # Sold at 220 together, still two short: at 100 they are 20 ahead, and 20 are in the wallet.
    assert cash == 20
    assert abs(position.unrealized_pnl(Decimal(100)) - 20) < CENT


@settings(max_examples=200)
@given(flows, fills, st.integers(1, 9))
def test_fill_split_in_two_leaves_the_same_position_cash_and_trades(before, last, tenths) -> None:
    part = Decimal(tenths) / 10
    first = replace(last, qty=last.qty * part, fee=last.fee * part)
    second = replace(last, qty=last.qty - first.qty, fee=last.fee - first.fee)
    position, _, _ = fold(before)

    whole, cash, trades = fold([last], position)
    halves, cash_of_halves, trades_of_halves = fold([first, second], position)

    assert_near(halves, whole)
    assert abs(cash - cash_of_halves) < CENT
    assert len(trades) == len(trades_of_halves)
    for one, other in zip(trades, trades_of_halves, strict=True):
        assert_near(one, other)


def test_pnl_of_a_short_is_what_it_fell_less_fees_plus_funding() -> None:
    executions = [
        fill(Side.SELL, 2, 100, fee="0.11", decided_ms=NOON_MS, signal_ms=NOON_MS - 1),
        funding("0.02"),
        fill(
            Side.BUY, 2, 90, fee="0.09", ts_ms=NOON_MS + 7, decided_ms=NOON_MS + 6, reason="REGIME"
        ),
    ]

    position, cash, trades = fold(executions)

    assert position is None
    assert cash == Decimal("19.82")
    assert trades == [
        Trade(
            asset="BTC",
            side=Side.SELL,
            entry_ms=NOON_MS,
            exit_ms=NOON_MS + 7,
            qty=Decimal(2),
            entry_price=Decimal(100),
            exit_price=Decimal(90),
            fees=Decimal("0.20"),
            funding=Decimal("0.02"),
            pnl=Decimal("19.82"),
            reason=ExitReason.REGIME,
            decided_ms=NOON_MS + 6,
        )
    ]


def test_prices_of_a_trade_are_averages_and_its_first_exit_names_the_reason() -> None:
    executions = [
        fill(Side.SELL, 1, 100),
        fill(Side.SELL, 3, 104, ts_ms=NOON_MS + 1),
        fill(Side.BUY, 1, 90, ts_ms=NOON_MS + 2, reason=ExitReason.TIME, decided_ms=NOON_MS + 2),
        fill(Side.BUY, 3, 94, ts_ms=NOON_MS + 3, reason=ExitReason.HALT, decided_ms=NOON_MS + 3),
    ]

    _, _, (trade,) = fold(executions)

    assert (trade.qty, trade.entry_price, trade.exit_price) == (4, 103, 93)
    assert (trade.entry_ms, trade.exit_ms) == (NOON_MS, NOON_MS + 3)
    assert (trade.reason, trade.decided_ms) == (ExitReason.TIME, NOON_MS + 2)
    assert trade.pnl == 40


def test_partly_closed_position_keeps_its_entry_price_and_shows_only_its_open_part() -> None:
    position, cash, trades = fold([fill(Side.SELL, 4, 100), fill(Side.BUY, 1, 90)])

    assert position is not None
    assert (position.qty, position.avg_entry_price, position.notional) == (3, 100, 300)
    assert position.unrealized_pnl(Decimal(95)) == 15
    assert (cash, trades) == (10, [])


def test_fill_through_flat_closes_one_trade_and_opens_the_other_way_at_the_fill_price() -> None:
    through = fill(
        Side.BUY,
        4,
        90,
        fee=4,
        ts_ms=NOON_MS + 1,
        decided_ms=NOON_MS + 1,
        reason=ExitReason.OPERATOR,
    )

    booked = book(short("BTC", 1, 100), through)

    assert booked.trade is not None
    assert (booked.trade.qty, booked.trade.fees, booked.trade.pnl) == (1, 1, 9)
    assert booked.position is not None
    assert (booked.position.side, booked.position.qty) == (Side.BUY, 3)
    assert (booked.position.avg_entry_price, booked.position.fees) == (90, 3)
    assert (booked.position.opened_ms, booked.position.reason) == (NOON_MS + 1, None)
    assert booked.cash == 6


def test_exit_without_a_reason_is_external() -> None:
    booked = book(short("BTC", 1, 100), fill(Side.BUY, 1, 100))

    assert booked.trade is not None
    assert booked.trade.reason is ExitReason.EXTERNAL


def test_funding_moves_money_and_no_quantity() -> None:
    before = short("BTC", 2, 100)

    booked = book(before, funding("-0.5"))

    assert booked == Booked(position=replace(before, funding=Decimal("-0.5")), cash=Decimal("-0.5"))


def test_funding_that_arrives_when_flat_moves_the_wallet_alone() -> None:
    assert book(None, funding(1)) == Booked(position=None, cash=Decimal(1))


@pytest.mark.parametrize(("side", "gain"), [(Side.BUY, 10), (Side.SELL, -10)])
def test_rising_price_pays_the_long_and_costs_the_short(side: Side, gain: int) -> None:
    position, _, _ = fold([fill(side, 2, 100)])

    assert position is not None
    assert position.unrealized_pnl(Decimal(105)) == gain
