"""What happens very often, in a line a minute."""

from collections.abc import Callable, Iterator

import pytest
from loguru import logger

from infra.operator.control.minute_log import EVERY_S, MinuteLog


@pytest.fixture
def lines() -> Iterator[list[str]]:
    said: list[str] = []
    number = logger.add(lambda line: said.append(str(line).strip()), format="{message}")
    yield said
    logger.remove(number)


def test_the_first_is_told_at_once_and_the_rest_once_a_minute(lines: list[str]) -> None:
    later: list[tuple[float, Callable[[], None]]] = []
    log = MinuteLog("it", lambda delay_s, function: later.append((delay_s, function)))

    for number in range(5000):
        log.add("late" if number % 5 else "cut")
    assert lines == ["it: cut: 1"]

    later.pop()[1]()
    assert lines[1:] == ["it: late: 4,000, cut: 999"]
    # A minute without any ends it; the next is told at once again.
    delay_s, ended = later.pop()
    ended()
    assert (delay_s, later) == (EVERY_S, [])
    log.add("late")
    assert lines[2:] == ["it: late: 1"]


def test_a_line_stays_short_whatever_comes_from_outside(lines: list[str]) -> None:
    later: list[Callable[[], None]] = []
    log = MinuteLog("it", lambda _, function: later.append(function))

    for number in range(1000):
        log.add(f"{number} " + "x" * 1000)
    later.pop()()

    assert len(lines[1]) < 3000
    assert "others: 979" in lines[1]
