"""The line of progress: what all worlds so far have come to."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from domain.text import counted
from tests.simulation.world import Outcome


class ProgressLine:
    """One bar, and sums beside it."""

    def __init__(self, console: Console, seeds: int) -> None:
        """Show nothing yet."""
        columns = (BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = Progress(
            *columns, TextColumn("{task.description}"), console=console, transient=True
        )
        self._task = self.bar.add_task("", total=seeds)
        self._sums = Counter[str]()
        self._minutes = 0.0
        self._began_s = time.monotonic()

    def add(self, outcome: Outcome) -> None:
        """Take in what one more world has shown."""
        self._minutes += outcome.minutes
        faults = sum(outcome.hits.values())
        self._sums.update(kills=outcome.deaths, faults=faults, switches=outcome.steps)
        self.bar.update(self._task, advance=1, description=self._text())

    @contextmanager
    def looking_for_less(self, seed: int) -> Iterator[None]:
        """Say that a broken promise is looked at, which takes minutes."""
        self.bar.update(self._task, description=f"looks for less trouble in {seed}")
        yield
        self.bar.update(self._task, description=self._text())

    def _text(self) -> str:
        sums, passed_s = self._sums, time.monotonic() - self._began_s
        return (
            f"{self._minutes / 60:,.0f} virtual hours, {counted(sums['kills'], 'kill')}, "
            f"{counted(sums['faults'], 'fault')}, "
            f"{sums['switches'] / max(passed_s, 0.1):,.0f} switches a second"
        )
