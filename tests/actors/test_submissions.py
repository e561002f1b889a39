"""Entry orders on their way to the exchange: at most so many at once, the others in rank order."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.core.messages import Restarted
from actors.messages import (
    AssetReported,
    EntryApproved,
    EntrySubmitted,
    OpenPosition,
    OrderRejected,
)
from domain.errors import OutcomeUnknownError
from domain.trading.decisions import Approval
from domain.trading.orders import OrderStatus, Purpose
from tests.actors.test_execution import GRANT, ExecutionContext, FakeExchange, desk_in, news
from tests.actors.test_portfolio import ASSETS, CHECKS, Desk, opened
from tests.domain.builders import CANDLE_MS, NOON_MS, RULES, changed, entry, report, signal

RULES_OF_ONE = changed(RULES, approval={"max_concurrent_submissions": 1, "correlation_limit": None})
T_MS = NOON_MS + CANDLE_MS
RANKED = ("ETH", "SOL", "BTC")
"""By their volatility, high first."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path, RULES_OF_ONE) as made:
        decide(made)
        yield made


def decide(desk: Desk) -> None:
    """Let all assets signal an entry at one close."""
    desk.until(T_MS)
    volatility = {name: 0.01 - place / 1000 for place, name in enumerate(RANKED)}
    desk.tell(
        *(
            AssetReported(
                report=report(
                    name,
                    100.0,
                    t_ms=T_MS,
                    signal=signal(signal_ms=T_MS, sigma=volatility[name]),
                )
            )
            for name in ASSETS
        )
    )


def approved(desk: Desk) -> list[str]:
    """Return which assets were told their approval, in the order of their rank."""
    return [name for name in RANKED if desk.told(f"asset/{name}", EntryApproved)]


def approval_of(desk: Desk, asset: str) -> Approval:
    told = desk.told(f"asset/{asset}", EntryApproved)[-1]
    assert isinstance(told, EntryApproved)
    return told.approval


def test_one_after_the_other_is_told_once_the_exchange_has_answered(desk: Desk) -> None:
    assert approved(desk) == ["ETH"]
    order_id = approval_of(desk, "ETH").client_order_id

    desk.tell(EntrySubmitted(asset="ETH", client_order_id=order_id))
    assert approved(desk) == ["ETH", "SOL"]

    rejected = OrderRejected(
        asset="SOL",
        client_order_id=approval_of(desk, "SOL").client_order_id,
        purpose=Purpose.ENTRY,
        detail="no money",
    )
    desk.tell(rejected)
    assert approved(desk) == ["ETH", "SOL", "BTC"]


def test_a_fill_frees_the_place_where_no_answer_was_heard(desk: Desk) -> None:
    desk.store(entry("ETH", 1, 100, T_MS))

    assert approved(desk) == ["ETH", "SOL"]


def test_an_order_that_ended_long_ago_frees_no_place(desk: Desk) -> None:
    desk.tell(
        OrderRejected(
            asset="SOL", client_order_id="SOL-1-exit-1", purpose=Purpose.EXIT, detail="flat"
        )
    )

    assert approved(desk) == ["ETH"]


@pytest.mark.parametrize("kind", ["asset", "execution"])
def test_a_crash_on_the_way_frees_the_place(desk: Desk, kind: str) -> None:
    desk.tell(Restarted(address=f"{kind}/ETH", generation=2))

    assert approved(desk) == ["ETH", "SOL"]


def test_an_asset_that_reports_again_is_told_in_its_turn(desk: Desk) -> None:
    again = AssetReported(report=report("SOL", 100.0, t_ms=T_MS, signal=signal(signal_ms=T_MS)))
    desk.tell(again)

    assert approved(desk) == ["ETH"]


def test_a_new_life_of_the_portfolio_tells_them_in_rank_order(tmp_path: Path) -> None:
    with opened(tmp_path, RULES_OF_ONE) as desk:
        decide(desk)
    with opened(tmp_path, RULES_OF_ONE, CHECKS, T_MS + 1_000) as desk:
        assert approved(desk) == ["ETH"]
        order_id = approval_of(desk, "ETH").client_order_id
        desk.tell(EntrySubmitted(asset="ETH", client_order_id=order_id))
        assert approved(desk) == ["ETH", "SOL"]


def submitted(desk: ExecutionContext) -> int:
    return len(desk.told(EntrySubmitted))


def test_an_execution_tells_when_the_exchange_has_answered_an_entry(tmp_path: Path) -> None:
    for desk in desk_in(tmp_path, FakeExchange()):
        desk.tell(OpenPosition(approval=GRANT))
        assert submitted(desk) == 1

        desk.tell(OpenPosition(approval=GRANT))  # the portfolio of another incarnation asks again
        assert submitted(desk) == 2


def test_an_entry_without_an_answer_is_on_its_way_until_it_is_looked_up(tmp_path: Path) -> None:
    for desk in desk_in(tmp_path, FakeExchange()):
        desk.exchange.answers = [OutcomeUnknownError("connection cut")]
        desk.exchange.is_down = True
        desk.tell(OpenPosition(approval=GRANT))
        assert submitted(desk) == 0

        desk.exchange.is_down = False
        order_id = GRANT.client_order_id
        desk.exchange.orders[order_id] = news(order_id, OrderStatus.ACCEPTED)
        desk.wait(5_000)
        assert submitted(desk) == 1
