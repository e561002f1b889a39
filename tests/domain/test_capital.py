"""The system uses at most the capital set aside, with what it earned or lost since it was set."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.market.instruments import Side
from domain.portfolio.protection import initial_state
from domain.portfolio.state import PortfolioState
from domain.rules import CapitalChange
from domain.trading.positions import Execution, ExecutionKind
from domain.trading.transfers import Transfer
from infra.settings import load_settings
from infra.settings.stored import capital_changes

DEFAULT = load_settings(None, environ={}, dotenv=None).trading_rules()
WALLET = Decimal(10_000)


def books(limit, *changes: CapitalChange, wallet=WALLET, state=None) -> PortfolioState:
    amount = None if limit is None else Decimal(limit)
    rules = replace(DEFAULT, total_capital=amount, capital_changes=changes)
    return PortfolioState(rules, state or initial_state(wallet, 0, limit=amount), wallet)


def earn(state: PortfolioState, amount, ts_ms=1) -> None:
    """Book money that executions moved, here a settlement of funding."""
    state.book(
        Execution(
            exec_id=f"{ts_ms}",
            asset="BTC",
            ts_ms=ts_ms,
            kind=ExecutionKind.FUNDING,
            side=Side.SELL,
            qty=Decimal(1),
            price=Decimal(1),
            funding=Decimal(amount),
        )
    )


def move(state: PortfolioState, amount) -> None:
    transfer = Transfer(transfer_id="a", ts_ms=1, kind="TRANSFER_IN", amount=Decimal(amount))
    state.apply_transfer(transfer)


def test_without_a_limit_the_capital_is_the_wallet():
    state = books(None)
    earn(state, 5)
    move(state, 7)

    assert state.capital == state.equity() == state.balance == WALLET + 12


def test_gains_and_losses_move_the_capital_and_the_rest_of_the_wallet_stays_untouched():
    state = books(4_000)
    earn(state, -100)
    earn(state, 30, ts_ms=2)

    assert (state.capital, state.balance) == (3_930, 9_930)
    assert state.equity() == 3_930
    assert state.protection.peak_equity == state.protection.entry_capital == 4_000
    assert state.protection.balance == WALLET


def test_a_wallet_below_the_limit_is_the_capital():
    assert books(40_000).capital == WALLET


@pytest.mark.parametrize(
    ("wallet", "amount", "moved"),
    [(10_000, 500, 0), (10_000, -6_000, 0), (10_000, -6_500, -500), (3_000, 1_500, 1_000)],
)
def test_a_transfer_counts_only_as_far_as_it_changes_the_capital(wallet, amount, moved):
    state = books(4_000, wallet=Decimal(wallet))
    before = state.protection
    move(state, amount)

    after = state.protection
    assert state.balance == after.balance == wallet + amount
    for name in ("equity", "peak_equity", "day_start_equity", "entry_capital"):
        assert getattr(after, name) - getattr(before, name) == moved


def test_only_what_was_earned_since_the_limit_was_set_counts():
    state = books(4_000, CapitalChange(ts_ms=100, before=None, limit=Decimal(4_000)))
    earn(state, 700, ts_ms=99)
    earn(state, -50, ts_ms=100)

    assert state.capital == 3_950


def test_another_limit_is_no_loss_and_is_taken_up_once():
    change = CapitalChange(ts_ms=100, before=None, limit=Decimal(4_000))
    state = books(4_000, change, state=initial_state(WALLET, 50))
    earn(state, 200, ts_ms=60)
    state.take_up_capital()

    # 10,200 before, of which 10,000 was the peak; 4,000 now.
    assert state.protection.peak_equity == WALLET - 6_200
    stored = replace(state.protection, t_ms=100)
    again = books(4_000, change, state=stored)
    again.take_up_capital()
    assert again.protection == stored


@given(
    cash=st.lists(st.integers(-900, 900), max_size=6),
    limit=st.integers(1_000, 20_000),
    seen=st.integers(0, 6),
)
def test_a_restart_always_finds_the_capital_again(cash, limit, seen):
    change = CapitalChange(ts_ms=3, before=Decimal(9_000), limit=Decimal(limit))
    straight = books(limit, change)
    for ts_ms, amount in enumerate(cash):
        earn(straight, amount, ts_ms)
    restarted = books(limit, change, state=straight.protection)
    for ts_ms, amount in list(enumerate(cash))[:seen]:
        earn(restarted, amount, ts_ms)
    assert restarted.present().capital == restarted.capital
    for ts_ms, amount in list(enumerate(cash))[seen:]:
        earn(restarted, amount, ts_ms)

    assert restarted.capital == straight.capital <= straight.balance
    assert straight.capital == min(WALLET + sum(cash), limit + sum(cash[3:]))


def test_changes_of_the_capital_are_read_from_the_stored_changes_of_settings():
    changes = [
        (10, "risk.stop_loss_pct: 0.015 -> 0.02\nportfolio.total_capital: null -> 5000"),
        (20, "logging.level: INFO -> DEBUG"),
        (30, "portfolio.total_capital: 5000 -> null"),
    ]

    assert capital_changes(changes) == (
        CapitalChange(ts_ms=10, before=None, limit=Decimal(5_000)),
        CapitalChange(ts_ms=30, before=Decimal(5_000), limit=None),
    )
