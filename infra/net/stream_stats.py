"""Statistics of a stream."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from loguru import logger

from domain.errors import AccessDeniedError


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStats:
    """Statistics of a stream."""

    name: str
    attempts: int
    connects: int
    """Successful handshakes."""
    messages: int
    """All texts received, including answers and pongs."""
    drops: Mapping[str, int]
    """Dropped messages, by reason."""
    last_data_s: float | None
    """Monotonic time of the newest message of a topic."""
    live: frozenset[str]
    """Live topics."""
    refused: Mapping[str, str]
    """Topics that the venue refused, with its message."""
    denied: AccessDeniedError | None
    """Why the venue refuses our credentials; None if it does not."""
    last_end: str | None
    """What ended the last connection."""


class Tally:
    """Counters. The stream's thread writes them, any thread reads them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.attempts = 0
        self.connects = 0
        self.messages = 0
        self.last_data_s: float | None = None
        self.live: frozenset[str] = frozenset()
        self.refused: dict[str, str] = {}
        self.denied: AccessDeniedError | None = None
        self.last_end: str | None = None
        self._drops: Counter[str] = Counter()

    def drop(self, reason: str) -> None:
        """Count a message that was dropped."""
        self._drops[reason] += 1

    def drop_loudly(self, reason: str, what: object) -> None:
        """Count, and log the first, second, fourth, eighth ...: a flood must not fill the disk."""
        self._drops[reason] += 1
        count = self._drops[reason]
        if count & (count - 1) == 0:
            logger.warning("{}: dropped ({}, {} so far): {}", self.name, reason, count, what)

    def stats(self) -> StreamStats:
        return StreamStats(
            name=self.name,
            attempts=self.attempts,
            connects=self.connects,
            messages=self.messages,
            drops=dict(self._drops),
            last_data_s=self.last_data_s,
            live=self.live,
            refused=dict(self.refused),
            denied=self.denied,
            last_end=self.last_end,
        )


def words_of(error: BaseException) -> str:
    """Return a short text of an error."""
    return f"{type(error).__name__}: {error}"[:300]
