"""The command why: what of a long story is left where ten lines must do."""

import pytest

from infra.operator.story import _LINES, _lines, _shortened
from infra.trace.query.story import Step

TRADE = [
    "candle",
    "indicators",
    "cross",
    "wish",
    "grant",
    "order",
    "answer",
    "fill",
    "stop",
    "exit",
    "order",
    "answer",
    "fill",
    "trade",
]


def steps(*names: str) -> list[Step]:
    return [Step(name=name, text=f"text of {name}", at_ms=0) for name in names]


def test_a_whole_trade_keeps_its_reason_its_fills_its_stop_and_its_result() -> None:
    judged = [Step(name="", text="kept HALTED: drawdown=0", at_ms=0)] * 11

    left = [step.name for step in _shortened([*steps(*TRADE), *judged])]

    assert left == [
        "indicators",
        "cross",
        "grant",
        "order",
        "fill",
        "stop",
        "exit",
        "order",
        "fill",
        "trade",
    ]


def test_a_limit_that_was_broken_is_never_left_out() -> None:
    broke = Step(name="", text="broke CORRELATION: limit=0.8", at_ms=0)

    assert broke in _shortened([*steps(*TRADE), broke])


@pytest.mark.parametrize("count", [1, _LINES, _LINES + 1, 40])
def test_it_is_ten_lines_at_most_with_its_beginning_and_its_end(count: int) -> None:
    names = [f"fill{place}" for place in range(count)]

    lines = _lines(steps(*names), "BTC-1-entry-1")

    assert len(lines) == min(count, _LINES)
    assert lines[0].startswith("fill0:")
    assert lines[-1].startswith(f"fill{count - 1}:")
    if count > _LINES:
        assert f"... {count - _LINES + 1} more: bin/trace why BTC-1-entry-1" in lines
