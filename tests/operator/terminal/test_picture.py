"""The live terminal at every size and in every state: what matters is always on the screen."""

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from domain.market.instruments import Side
from domain.operator.system import SystemState
from infra.operator.terminal.live.picture import Picture, drawn
from infra.operator.terminal.live.scene import Panel, Scene
from infra.operator.terminal.screen import Screen
from tests.operator.terminal.pictures import DIRECTORY, pictures
from tests.operator.terminal.scenes import (
    EVENTS,
    NOW_MS,
    PRICES,
    SIZES,
    STATES,
    WELL,
    crowded,
    position_of,
    scene,
    stale,
    unprotected,
    with_portfolio,
    with_seen,
)

WIDTHS, HEIGHTS = st.integers(60, 260), st.integers(15, 90)


def shown(found: Scene, width: int, height: int) -> str:
    return "\n".join(line.plain for line in drawn(found, width, height))


@pytest.mark.parametrize("name", STATES)
def test_a_state_looks_as_it_was_approved(name: str) -> None:
    approved = (DIRECTORY / f"{name}.txt").read_text(encoding="utf-8")

    assert pictures(name) == approved, "if it is meant: python -m tests.operator.terminal.pictures"


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    names = list(PRICES)[: draw(st.integers(1, 12))]
    held = draw(st.lists(st.sampled_from(names), unique=True))
    found = scene(count=len(names), held=())
    qty = st.decimals("0.001", "999999", places=3)
    sides = st.sampled_from(Side)
    positions = {
        name: position_of(name, side=draw(sides), qty=str(draw(qty)))
        for name in names
        if name in held
    }
    found = with_portfolio(
        found,
        positions=positions,
        panic_since_ms=draw(st.none() | st.just(NOW_MS)),
        is_halted=draw(st.booleans()),
        paused=tuple(draw(st.lists(st.sampled_from(names), unique=True))),
        malfunctions=draw(st.dictionaries(st.text(max_size=5), st.text(max_size=300), max_size=3)),
        global_cooldown_end_ms=draw(st.sampled_from([0, NOW_MS + 60_000])),
        global_cooldown_reason=draw(st.text(max_size=40)),
    )
    found = with_seen(found, unknown_orders=draw(st.integers(0, 3)))
    found = stale(found) if draw(st.booleans()) else found
    found = unprotected(found) if draw(st.booleans()) and "BTC" in positions else found
    events = [Text(each) for each in draw(st.lists(st.text(max_size=400), max_size=30))]
    return replace(found, events=[*EVENTS, *events], panel=draw(st.sampled_from(Panel)))


@given(scenes(), WIDTHS, HEIGHTS)
def test_state_pnl_and_every_position_are_always_on_the_screen(
    found: Scene, width: int, height: int
) -> None:
    lines = drawn(found, width, height)

    assert len(lines) == height
    assert all(line.cell_len <= width for line in lines)
    assert lines[0].plain.startswith(f" {found.seen.state} ")
    text = "\n".join(line.plain for line in lines)
    for asset in found.held:
        position, pnl = found.position(asset), found.pnl(asset)
        side = "SHORT" if position.side is Side.SELL else "LONG"
        words = rf"\b{asset}\b.* {side} {position.qty:f} .*{re.escape(f'{pnl:+,.2f}')}"
        assert re.search(words, text), words
    total = sum((found.pnl(asset) for asset in found.held), Decimal(0))
    assert f"open PnL {total:+,.2f}" in text


@pytest.mark.parametrize("panel", Panel)
def test_twelve_positions_in_all_trouble_are_on_the_smallest_screen(panel: Panel) -> None:
    lines = [line.plain for line in drawn(replace(crowded(12), panel=panel), 60, 15)]

    assert lines[0].startswith(" PANIC ")
    assert lines[1].endswith("+4 more")
    assert lines[2].startswith("equity ")
    assert [line.split()[0] for line in lines[3:]] == list(PRICES)
    assert "NO STOP" in lines[3]


@pytest.mark.parametrize("panel", Panel)
def test_positions_for_which_there_is_no_room_are_counted(panel: Panel) -> None:
    found = replace(unprotected(crowded(20), "NEW7"), panel=panel, note="the answer to a key")
    lines = [line.plain for line in drawn(found, 60, 15)]

    assert lines[3].startswith("BTC ")
    assert lines[4].startswith("NEW7 ")
    assert all("NO STOP" in line for line in lines[3:5])
    assert lines[-2].endswith("+9 more open")
    assert lines[-1] == "the answer to a key"


@given(scenes(), WIDTHS, HEIGHTS)
def test_the_worst_reason_is_said_and_what_is_left_out_is_counted(
    found: Scene, width: int, height: int
) -> None:
    lines = [line.plain for line in drawn(found, width, height)]
    reasons = found.seen.reasons

    money = next(place for place, line in enumerate(lines) if line.startswith("equity "))
    said = lines[1:money]
    if len(said) < len(reasons):
        assert said[-1].endswith(f"+{len(reasons) - len(said)} more")
    else:
        assert sum(line.startswith("! ") for line in said) >= len(reasons)
    assert all(each.startswith("! ") for each in said[:1])
    assert bool(said) == bool(reasons)


def states() -> Iterator[tuple[str, str, SystemState]]:
    yield "panic", "PANIC by 7 by Telegram until rearm; not yet flat", SystemState.PANIC
    yield "halted", "HALTED until rearm", SystemState.HALTED
    yield "paused", "paused: BTC, ETH, SOL", SystemState.PAUSED
    yield "cooldown", "LOSS_STREAK, 60 min left", SystemState.COOLDOWN
    yield "malfunction", "journal: the disk is full", SystemState.MALFUNCTION
    yield "stale", "no prices of BTC, ETH, SOL for 98 s", SystemState.STALE
    yield "unprotected", "position without a stop: BTC", SystemState.MALFUNCTION
    yield "unknown", "orders with an unknown outcome", SystemState.MALFUNCTION
    yield "down", "the portfolio does not answer", SystemState.DOWN


@pytest.mark.parametrize(
    ("name", "words", "state"), list(states()), ids=lambda each: str(each)[:12]
)
@pytest.mark.parametrize("size", SIZES)
def test_trouble_is_seen_at_once_in_words_and_in_colour(
    name: str, words: str, state: SystemState, size: tuple[int, int]
) -> None:
    head, reason, *_ = drawn(STATES[name], *size)

    assert head.plain.startswith(f" {state} ")
    assert words in reason.plain
    assert reason.spans
    assert "green" not in " ".join(str(span.style) for span in head.spans[:1])


def test_the_newest_event_is_the_last_line_above_the_keys() -> None:
    for size in SIZES:
        lines = [line.plain for line in drawn(WELL, *size)][:-1]
        assert next(line for line in reversed(lines) if line.strip()).endswith("the newest event")


def test_a_price_that_is_too_old_is_struck_out_and_said_to_be_stale() -> None:
    row = next(line for line in drawn(STATES["stale"], 80, 24) if line.plain.startswith("BTC"))

    assert "84,231.5 STALE" in row.plain
    assert any("strike" in str(span.style) for span in row.spans)


def test_a_larger_frame_leaves_nothing_of_itself_under_a_smaller_one() -> None:
    for width, height in SIZES:
        screen = Screen(file=StringIO(), width=width, height=height, force_terminal=True)
        screen.print(Picture(STATES["all-at-once"]), end="")
        written = Text.from_ansi(screen.file.getvalue()).plain
        lines = written.split("\n")
        assert len(lines) == height
        assert {Text(line).cell_len for line in lines} == {width}


def test_no_sign_is_shown_whose_width_terminals_do_not_agree_on() -> None:
    found = with_portfolio(scene(note="\u2696\ufe0f"), malfunctions={"x": "\u26a0\ufe0f journal"})

    assert "\u26a0 journal" in shown(found, 80, 24)
    assert "\ufe0f" not in shown(found, 80, 24)


@given(st.text(max_size=80))
def test_what_comes_from_outside_reaches_no_terminal_raw(text: str) -> None:
    found = with_portfolio(scene(note=text), malfunctions={"x": f"\x1b[2J{text}"})
    found = replace(found, events=[Text(f"\x1b]0;title\x07{text}")])
    screen = Screen(file=StringIO(), width=80, height=24, no_color=True)

    screen.print(Picture(found), end="")

    assert "\x1b" not in screen.file.getvalue()
    assert "\x07" not in screen.file.getvalue()
