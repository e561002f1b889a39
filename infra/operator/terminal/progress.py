"""The progress of a replay."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from infra.operator.terminal.screen import Screen

_EVERY = 100
"""Closes between two steps of the bar."""


@contextmanager
def candles_played(
    screen: Screen, total: int, *, is_shown: bool
) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal; yield the callback for the candles played so far."""
    bar = Progress(
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:3.0f}% {task.fields[rate]} candles/s, left"),
        TimeRemainingColumn(),
        console=screen,
        disable=not (is_shown and screen.is_terminal),
    )
    closes = candles = 0
    with bar:
        task = bar.add_task("", total=total, rate="-")
        began_s = time.monotonic()

        def show(played: int) -> None:
            nonlocal closes, candles
            candles = played
            if closes % _EVERY == 0:
                rate = played / max(time.monotonic() - began_s, 1e-9)
                bar.update(task, completed=played, rate=f"{rate:,.0f}")
            closes += 1

        yield show
        bar.update(task, completed=candles)
