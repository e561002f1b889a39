"""What a system snapshot says of its state, and why."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.operator.system import ActorState, FeedState, SystemSnapshot, SystemState
from domain.portfolio.snapshots import AssetSnapshot, ExecutionSnapshot, PortfolioSnapshot

NOW_MS = 1_000_000
ZERO = Decimal(0)
PORTFOLIO = PortfolioSnapshot(
    balance=ZERO,
    equity=ZERO,
    exposure=ZERO,
    drawdown=ZERO,
    daily_loss=ZERO,
    positions={},
    prices={},
    global_cooldown_end_ms=0,
    is_halted=False,
    is_reduced=False,
    trades=0,
    realized_pnl=ZERO,
)


def asset(name: str) -> AssetSnapshot:
    return AssetSnapshot(
        asset=name,
        report=None,
        position=None,
        closes_seen=0,
        cooldown_minutes=0,
        cooldown_reason="",
        loss_streak=0,
    )


WELL = SystemSnapshot(
    actors=(),
    dead_letters=0,
    portfolio=PORTFOLIO,
    assets={name: asset(name) for name in ("BTC", "ETH")},
    now_ms=NOW_MS,
)


LOST = ActorState(
    address="asset/BTC",
    is_running=False,
    is_given_up=True,
    restarts=4,
    depth=0,
    oldest_s=0.0,
    last_failure="Boom",
)


def of(**changes) -> SystemSnapshot:
    return replace(WELL, portfolio=replace(PORTFOLIO, **changes))


def test_a_system_that_is_well_runs_without_a_reason():
    assert (WELL.state, WELL.reasons) == (SystemState.RUNNING, ())


def test_a_portfolio_that_does_not_answer_is_down():
    assert replace(WELL, portfolio=None).state is SystemState.DOWN


def test_the_most_serious_reason_stands_first_and_makes_the_state():
    seen = of(
        panic_since_ms=1,
        panic_by="ctl-me",
        not_flat=("ETH",),
        is_halted=True,
        paused=("BTC", "ETH"),
        malfunctions={"wallet": "the balance differs"},
    )

    assert [reason.state for reason in seen.reasons] == [
        SystemState.PANIC,
        SystemState.HALTED,
        SystemState.MALFUNCTION,
        SystemState.PAUSED,
    ]
    assert seen.reasons[0].text == "PANIC by ctl-me until rearm; not yet flat: ETH"


def test_a_cooldown_counts_until_its_end_and_no_longer():
    resting = of(global_cooldown_end_ms=NOW_MS + 1, global_cooldown_reason="LOSS_STREAK")

    assert (resting.state, resting.reasons[0].until_ms) == (SystemState.COOLDOWN, NOW_MS + 1)
    assert of(global_cooldown_end_ms=NOW_MS).state is SystemState.RUNNING


def test_only_the_pause_of_every_asset_pauses_the_system():
    assert of(paused=("BTC", "ETH")).state is SystemState.PAUSED
    some = of(paused=("BTC",))
    assert (some.state, some.reasons[0].text) == (SystemState.RUNNING, "paused: BTC")


def test_stale_prices_bare_positions_unknown_orders_and_lost_actors_are_said():
    feed = FeedState(asset="BTC", age_s=98.4, is_stale=True)
    seen = replace(
        WELL,
        feeds={"BTC": feed},
        executions={"ETH": ExecutionSnapshot(asset="ETH", is_unprotected=True)},
        unknown_orders=2,
        actors=(LOST,),
        troubles={"telegram": "401"},
    )

    assert seen.state is SystemState.STALE
    assert [reason.text for reason in seen.reasons] == [
        "no prices of BTC for 98 s",
        "position without a stop: ETH",
        "orders with an unknown outcome: 2",
        "asset/BTC was given up: Boom",
        "telegram does not work: 401",
    ]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("A", "A is not running"),
        ("A B C", "3 actors are not running: A, B, C"),
        ("A B C D E", "5 actors are not running: A, B, C and 2 more"),
    ],
)
def test_actors_that_start_are_said_in_one_line(names: str, told: str):
    starting = tuple(replace(LOST, address=name, is_given_up=False) for name in names.split())

    (reason,) = replace(WELL, actors=starting).reasons

    assert (reason.state, reason.text) == (SystemState.RUNNING, told)
