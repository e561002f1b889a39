"""What went wrong in one world, one after the other; what it holds can be played alone again."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Strike:
    """One thing that went wrong."""

    key: str
    """Which one: the life of the process, the kind, and which of its occasions; or a deed."""
    at_s: float
    what: str


class Schedule:
    """All that went wrong by chance."""

    def __init__(
        self, only: frozenset[str] | None = None, now_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        """Begin with nothing.

        Args:
            only: keys of what alone may go wrong; None: all that is drawn.
            now_s: the time of the world.
        """
        self.strikes: list[Strike] = []
        self._only, self._now_s = only, now_s
        self._key: str | None = None

    def lets(self, key: str) -> bool:
        """Tell whether something that is drawn may go wrong; what it is is noted next."""
        if self._only is not None and key not in self._only:
            return False
        self._key = key
        return True

    def note(self, what: str) -> None:
        """Note what has gone wrong."""
        if self._key is not None:
            self.strikes.append(Strike(self._key, self._now_s(), what))
            self._key = None
