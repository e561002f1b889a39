"""What the operator does to one pair: a part is closed once, a liquidation ends flat and paused."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from actors.messages import (
    AssetFlat,
    AssetReported,
    Flatten,
    Message,
    RebalanceAdvised,
    ReducePosition,
)
from domain.market.instruments import DAY_MS, Side
from domain.operator.commands import Command, CommandName, OperatorCommand, parse
from domain.operator.pairs import PairAction, PairChange
from domain.portfolio.rebalancing import Rebalance
from domain.trading.decisions import DenialReason
from infra.store.audit import read_audit
from tests.actors.test_portfolio import ASSETS, START_MS, Desk, opened
from tests.domain.builders import CANDLE_MS, NOON_MS, RULES, changed, entry, fill, report

FREE = changed(
    approval={"rebalance_threshold": Decimal("0.10"), "max_position_size": None},
    protection={
        "max_daily_loss_fraction": None,
        "drawdown_emergency_fraction": None,
        "drawdown_halt_fraction": None,
        "high_correlation_threshold": None,
    },
)
BTC = FREE.asset("BTC")
STEP = BTC.instrument.qty_step
TARGET = 10_000 * BTC.allocation_fraction * BTC.leverage / 100
"""Base units at a price of 100."""
CLOSE_MS = (START_MS // CANDLE_MS + 1) * CANDLE_MS
"""The first close that is decided."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path, FREE, None) as made:
        yield made


def hold(desk: Desk, qty: Decimal) -> None:
    desk.store(entry("BTC", qty, 100, NOON_MS - CANDLE_MS))


def asked(desk: Desk, text: str) -> OperatorCommand:
    return desk.asked(parse(text))


def told(desk: Desk, kind: type[Message], address: str = "execution/BTC") -> list[Message]:
    return desk.told(address, kind)


def close(desk: Desk, t_ms: int) -> None:
    """Let all assets report a close at 100."""
    desk.wait(max(0, t_ms - desk.clock.now_ms()))
    desk.tell(*(AssetReported(report=report(name, 100.0, t_ms=t_ms)) for name in ASSETS))


def reduced(desk: Desk) -> list[tuple[Decimal, int]]:
    found = told(desk, ReducePosition)
    return [(m.qty, m.t_ms) for m in found if isinstance(m, ReducePosition)]


def test_a_fraction_of_the_position_is_reduced_on_the_step(desk: Desk) -> None:
    hold(desk, 7 * STEP)

    answer = asked(desk, "reduce btcusdt 0.5")

    assert answer.is_done
    assert answer.arguments == f"BTC {3 * STEP:f}"
    assert reduced(desk) == [(3 * STEP, answer.ts_ms)]


def test_without_a_fraction_the_advice_is_what_is_reduced(desk: Desk) -> None:
    hold(desk, TARGET * 2)
    close(desk, CLOSE_MS)

    answer = asked(desk, "reduce BTC")

    ((qty, _),) = reduced(desk)
    assert answer.is_done
    assert qty == TARGET // STEP * STEP


@pytest.mark.parametrize(
    ("held", "text", "why"),
    [
        (Decimal(0), "reduce BTC 0.5", "BTC: nothing is open"),
        (STEP, "reduce BTC 0.5", "BTC: less than one step of quantity"),
        (TARGET / 2, "reduce BTC", "BTC: no reduction is advised"),
        (STEP, "reduce XYZ", "unknown asset XYZ; expected BTC, ETH, SOL or all"),
    ],
)
def test_what_cannot_be_reduced_is_refused_with_the_reason(
    desk: Desk, held: Decimal, text: str, why: str
) -> None:
    if held:
        hold(desk, held)
        close(desk, CLOSE_MS)

    answer = asked(desk, text)

    assert (answer.is_done, answer.result) == (False, why)
    assert reduced(desk) == []


def test_a_reduce_sent_twice_within_half_a_minute_is_done_once(desk: Desk) -> None:
    hold(desk, 8 * STEP)

    first, second = asked(desk, "reduce BTC 0.5"), asked(desk, "reduce BTC 0.5")

    assert (first.is_done, second.is_done) == (True, False)
    assert len(set(reduced(desk))) == 1


def test_a_new_life_tells_a_reduce_again_under_the_same_time(desk: Desk) -> None:
    hold(desk, 8 * STEP)
    answer = asked(desk, "reduce BTC 0.5")

    desk.tell(Message())

    assert set(reduced(desk)) == {(4 * STEP, answer.ts_ms)}
    assert len(reduced(desk)) == 2


def test_a_reduce_stands_in_the_audit_trail_under_its_asset(desk: Desk, tmp_path: Path) -> None:
    hold(desk, 8 * STEP)
    asked(desk, "reduce BTC 0.5")
    asked(desk, "liquidate ETH")

    found = [
        (entry.asset, entry.what.partition(" -> ")[0])
        for entry in read_audit(tmp_path / "j.sqlite")
        if entry.kind == "operator_command"
    ]
    assert found == [("BTC", f"test: reduce BTC {4 * STEP:f}"), ("ETH", "test: liquidate ETH")]


def flat_since(desk: Desk, asset: str = "BTC") -> list[int]:
    found = told(desk, Flatten, f"execution/{asset}")
    return [message.t_ms for message in found if isinstance(message, Flatten)]


def test_a_liquidation_flattens_and_pauses_its_asset_alone_over_restarts(desk: Desk) -> None:
    hold(desk, STEP)
    answer = asked(desk, "liquidate BTC")
    desk.tell(Message())

    assert answer.is_done
    assert desk.snapshot().paused == ("BTC",)
    assert flat_since(desk) == [answer.ts_ms] * 2
    assert flat_since(desk, "ETH") == []
    assert desk.denial(CLOSE_MS) is DenialReason.PAUSED


def test_a_liquidation_that_is_shown_flat_is_told_once(desk: Desk) -> None:
    answer = asked(desk, "liquidate BTC")
    flat = AssetFlat(asset="BTC", t_ms=answer.ts_ms)
    desk.tell(flat, flat)
    asked(desk, "pause ETH")

    assert flat_since(desk) == [answer.ts_ms]
    assert desk.risks() == ["BTC liquidated: flat at the exchange"]


def test_a_liquidation_that_was_shown_flat_is_over_for_every_later_life(tmp_path: Path) -> None:
    with opened(tmp_path, FREE, None) as desk:
        hold(desk, STEP)
        answer = asked(desk, "liquidate BTC")
        desk.store(fill(Side.BUY, STEP, 100, asset="BTC", ts_ms=answer.ts_ms + 1))
        desk.tell(AssetFlat(asset="BTC", t_ms=answer.ts_ms))
        desk.tell(Message())
        assert flat_since(desk) == [answer.ts_ms]
        desk.store(fill(Side.SELL, STEP, 100, asset="BTC", ts_ms=answer.ts_ms + DAY_MS))  # by hand

    with opened(tmp_path, FREE, None, START_MS + 3 * DAY_MS) as desk:
        assert flat_since(desk) == []
        assert desk.snapshot().paused == ("BTC",)

        desk.tell(AssetFlat(asset="BTC", t_ms=answer.ts_ms))
        assert desk.risks() == []

        again = asked(desk, "liquidate BTC")
        assert flat_since(desk) == [again.ts_ms]

    with opened(tmp_path, FREE, None, START_MS + 4 * DAY_MS) as desk:
        assert flat_since(desk) == [again.ts_ms]


def test_a_liquidation_that_ended_in_a_panic_is_over_for_every_later_life(desk: Desk) -> None:
    asked(desk, "liquidate BTC")
    panic = asked(desk, "panic")
    desk.tell(*(AssetFlat(asset=asset, t_ms=panic.ts_ms) for asset in ASSETS))
    assert asked(desk, "rearm").is_done
    count = len(flat_since(desk))

    desk.tell(Message())

    assert len(flat_since(desk)) == count
    assert desk.snapshot().paused == ("BTC",)


def test_a_panic_asks_again_what_a_liquidation_has_shown_flat(desk: Desk) -> None:
    first = asked(desk, "liquidate BTC")
    desk.tell(AssetFlat(asset="BTC", t_ms=first.ts_ms))
    panic = asked(desk, "panic")
    desk.tell(Message())

    assert flat_since(desk) == [first.ts_ms, panic.ts_ms, panic.ts_ms]
    assert not asked(desk, "rearm").is_done


def test_an_entry_that_fills_after_the_flat_is_flattened_by_the_next_life_too(desk: Desk) -> None:
    answer = asked(desk, "liquidate BTC")
    desk.tell(AssetFlat(asset="BTC", t_ms=answer.ts_ms))
    hold(desk, STEP)
    count = len(flat_since(desk))

    desk.tell(Message())

    assert flat_since(desk) == [answer.ts_ms] * (count + 1)
    assert count == 2


def test_that_a_liquidation_is_over_stands_in_the_audit_trail(desk: Desk, tmp_path: Path) -> None:
    answer = asked(desk, "liquidate BTC")
    desk.tell(AssetFlat(asset="BTC", t_ms=answer.ts_ms))

    (found,) = [e for e in read_audit(tmp_path / "j.sqlite") if " flat " in e.what]
    assert found.asset == "BTC"
    assert found.what == "reconciliation: flat BTC -> BTC: its liquidation is over"


def test_a_resume_ends_a_liquidation(desk: Desk) -> None:
    asked(desk, "liquidate BTC")
    assert asked(desk, "resume BTC").is_done
    count = len(flat_since(desk))

    desk.tell(Message())

    assert desk.snapshot().paused == ()
    assert len(flat_since(desk)) == count


def test_a_pair_can_be_liquidated_again_after_a_resume(desk: Desk) -> None:
    first = asked(desk, "liquidate BTC")
    desk.tell(AssetFlat(asset="BTC", t_ms=first.ts_ms))
    asked(desk, "resume BTC")

    again = asked(desk, "liquidate BTC")

    assert flat_since(desk) == [first.ts_ms, again.ts_ms]


def test_a_pair_that_has_left_opens_nothing_while_its_portfolio_runs_on(desk: Desk) -> None:
    for action in (PairAction.REMOVE, PairAction.LEAVE):
        change = PairChange(action=action, symbol="BTCUSDT", from_ms=CLOSE_MS)
        answer = desk.asked(Command(name=CommandName.PAIRS, argument=change.written()))
        assert answer.is_done, answer

    assert desk.denial(CLOSE_MS) is DenialReason.PAUSED


def test_to_liquidate_all_is_a_panic() -> None:
    assert parse("liquidate all") == Command(name=CommandName.PANIC)
    assert parse("liquidate ALL").needs_confirmation


# Advice.


def advised(desk: Desk) -> list[Rebalance | None]:
    found = told(desk, RebalanceAdvised, "notifier")
    return [m.advice.action for m in found if isinstance(m, RebalanceAdvised)]


def test_advice_is_told_once_a_position_and_direction_a_day(desk: Desk) -> None:
    hold(desk, TARGET * 2)
    for place in range(3):
        close(desk, CLOSE_MS + place * CANDLE_MS)
    assert advised(desk) == [Rebalance.REDUCE]

    close(desk, CLOSE_MS + DAY_MS)

    assert advised(desk) == [Rebalance.REDUCE] * 2


def test_advice_inside_its_threshold_is_not_told(desk: Desk) -> None:
    hold(desk, TARGET)
    close(desk, CLOSE_MS)

    assert advised(desk) == []
    assert [each.asset for each in desk.snapshot().advice] == ["BTC"]


def test_nothing_of_it_is_told_where_it_is_off(tmp_path: Path) -> None:
    rules = changed(FREE, approval={"rebalance_threshold": None})
    with opened(tmp_path, rules, None) as desk:
        hold(desk, TARGET * 2)
        close(desk, CLOSE_MS)

        assert advised(desk) == []


def test_the_shipped_settings_advise() -> None:
    assert RULES.approval.rebalance_threshold == Decimal("0.1")
