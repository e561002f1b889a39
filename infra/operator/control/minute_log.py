"""Logs frequent events in one line a minute."""

from collections import Counter
from collections.abc import Callable

from loguru import logger

EVERY_S = 60.0
_MOST_KINDS = 20
"""Most kinds in one line, which outside input must not make longer."""
_LONGEST = 120


class MinuteLog:
    """Logs the first event at once, and later ones once a minute with their counts.

    For one thread.
    """

    def __init__(
        self, title: str, call_later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        """Start without events.

        Args:
            title: begins each line.
            call_later: calls a function after some seconds.
        """
        self._title = title
        self._call_later = call_later
        self._counts: Counter[str] = Counter()
        self._is_pending = False

    def add(self, what: str) -> None:
        """Count an event of a kind."""
        what = what[:_LONGEST]
        if what not in self._counts and len(self._counts) >= _MOST_KINDS:
            what = "others"
        self._counts[what] += 1
        if not self._is_pending:
            self._flush()

    def _flush(self) -> None:
        self._is_pending = bool(self._counts)
        if self._is_pending:
            told = ", ".join(f"{what}: {n:,}" for what, n in self._counts.most_common())
            self._counts.clear()
            logger.warning("{}: {}", self._title, told)
            self._call_later(EVERY_S, self._flush)
