"""The conditions judged at a close: why something happened, or why nothing did.

Strategies fill it; the code that prints it knows no strategy.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

Figure = float | int | str
ShowTime = Callable[[int], str]
"""Formats a time, ms, as text."""
OPEN_POSITION = "position"
"""Name of the condition that no position is open."""


class Condition(NamedTuple):
    """One condition that is judged at a close.

    A tuple, because every close of every asset makes a dozen: a frozen dataclass takes three times
    as long to make.
    """

    name: str
    figure: Figure
    """The value that was found."""
    limit: Figure
    holds: bool
    needs: str = ""
    """How the figure must compare with the limit, such as `< EMA long`; empty: it must be equal."""
    at_ms: int | None = None
    """The time that belongs to the figure."""

    def words(self, show_time: ShowTime) -> str:
        """Return what was found and what is needed."""
        found = _shown(self.figure)
        if self.at_ms is not None:
            found += f" {show_time(self.at_ms)}"
        needs = f"{self.needs} {_shown(self.limit)}".lstrip()
        return f"{self.name} {found}, needs {needs}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All conditions of one close, each in the order in which they are judged."""

    t_ms: int
    entry: tuple[Condition, ...]
    """An entry is requested if all of them hold."""
    stay: tuple[Condition, ...] = ()
    """The open position is kept if all of them hold; empty if none is open, or if its strategy
    leaves the exit to the stops."""

    @property
    def is_open(self) -> bool:
        """Tell whether a position was open at the close."""
        return any(each.name == OPEN_POSITION and not each.holds for each in self.entry)

    @property
    def failed_entry(self) -> Condition | None:
        """The first condition of an entry that did not hold."""
        return _first_failed(self.entry)

    @property
    def failed_stay(self) -> Condition | None:
        """The first condition of the open position that did not hold."""
        return _first_failed(self.stay)

    def outcome(self, show_time: ShowTime) -> str:
        """Return the outcome, with the condition that decided."""
        is_open = self.is_open
        failed = self.failed_stay if is_open else self.failed_entry
        if failed is None:
            return "stays open" if is_open else "asks to enter"
        return f"{'exit' if is_open else 'no entry'}: {failed.words(show_time)}"


def _first_failed(conditions: Iterable[Condition]) -> Condition | None:
    return next((condition for condition in conditions if not condition.holds), None)


def _shown(figure: Figure) -> str:
    return f"{figure:.6g}" if isinstance(figure, float) else str(figure)
