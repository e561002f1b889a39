"""Presses of the page: done once, and only for what they were pressed for."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from actors.operator.page_acts import PageActs
from domain.operator.acts import PageAct, outdated_by
from domain.operator.commands import Command, CommandName
from domain.operator.replies import Reply, ReplyCode

BTC = {"BTC": Decimal("-0.5")}


@dataclass
class Desk:
    asked: list[tuple[str, Command, bool]] = field(default_factory=list)
    noted: list[tuple[str, str, str]] = field(default_factory=list)

    def answer(self, operator: str, command: Command, *, is_confirmed: bool) -> Reply:
        self.asked.append((operator, command, is_confirmed))
        return Reply(code=ReplyCode.DONE, title=f"done {len(self.asked)}")

    def note_access(self, operator: str, what: str, result: str) -> None:
        self.noted.append((operator, what, result))


def act(name: CommandName, argument: str = "", act_id: str = "1", **shown: str) -> PageAct:
    return PageAct(
        act_id=act_id,
        user="ann",
        command=Command(name=name, argument=argument),
        is_confirmed=True,
        shown={asset: Decimal(qty) for asset, qty in shown.items()},
    )


def acts(desk: Desk, portfolio: Any = None) -> PageActs:
    return PageActs(desk, lambda: portfolio)  # type: ignore[arg-type]


def test_the_same_press_sent_twice_is_done_once() -> None:
    desk = Desk()
    does = acts(desk)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(does.do, [act(CommandName.PAUSE, "BTC")] * 8))

    assert {reply.title for reply in found} == {"done 1"}
    assert desk.asked == [("web/ann", Command(name=CommandName.PAUSE, argument="BTC"), True)]


@pytest.mark.parametrize(
    ("pressed", "is_refused"),
    [
        (act(CommandName.CLOSE, "BTC", BTC="-0.5"), False),
        (act(CommandName.CLOSE, "btc", BTC="-0.50", ETH="1"), False),
        (act(CommandName.CLOSE, "BTC", BTC="-0.4"), True),
        (act(CommandName.CLOSE, "BTC"), True),
        (act(CommandName.CLOSE, "all", BTC="-0.5"), False),
        (act(CommandName.CLOSE, "all", BTC="-0.5", ETH="1"), True),
        (act(CommandName.REDUCE, "BTC 0.5", BTC="0.5"), True),
        (act(CommandName.LIQUIDATE, "BTC", BTC="0"), True),
        (act(CommandName.PAUSE, "BTC"), False),
        (act(CommandName.PANIC), False),
    ],
)
def test_a_press_for_another_position_than_the_one_shown_is_refused(
    pressed: PageAct, is_refused: bool
) -> None:
    assert (outdated_by(pressed, BTC) is not None) == is_refused


def test_a_refused_press_is_stored_and_a_panic_is_never_refused() -> None:
    desk = Desk()
    does = acts(desk)

    refused = does.do(act(CommandName.CLOSE, "BTC", BTC="-0.5"))
    done = does.do(act(CommandName.PANIC, act_id="2"))

    assert refused.code is ReplyCode.REFUSED
    assert [(who, what) for who, what, _ in desk.noted] == [("web/ann", "press close BTC")]
    assert done.code is ReplyCode.DONE
