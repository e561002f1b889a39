"""Stream messages: their items, their times, and counts of what could not be read."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from loguru import logger

from domain.errors import BadDataError
from infra.venues.bybit.shapes.row import Row

Value = TypeVar("Value")
Item = Mapping[str, Any]
"""One item of a message's data."""


class Refusals:
    """Counts dropped items that could not be read, by kind. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def attempt(
        self, kind: str, read: Callable[[], Value], otherwise: Callable[[], None] | None = None
    ) -> Value | None:
        """Return the reader's result; on failure count a refusal of this kind and return None.

        Args:
            kind: of what is read.
            read: raises BadDataError on failure.
            otherwise: called on failure.
        """
        try:
            return read()
        except BadDataError as error:
            self.count(kind, str(error))
        if otherwise is not None:
            otherwise()
        return None

    def count(self, kind: str, what: str) -> None:
        """Count; log only the first, second, fourth ...: a flood must not fill the disk."""
        with self._lock:
            self._counts[kind] += 1
            count = self._counts[kind]
        if count & (count - 1) == 0:
            logger.warning("refused {} ({} so far): {}", kind, count, what)

    def counts(self) -> Mapping[str, int]:
        """Return the counts so far."""
        with self._lock:
            return dict(self._counts)


def items_of(message: Item) -> list[Any]:
    """Return the items of a message's data.

    Raises:
        BadDataError: there are none.
    """
    data = message.get("data")
    if not isinstance(data, list):
        raise BadDataError(f"expected a list of data, found {type(data).__name__}")
    return data


def symbol_of_item(item: Item) -> str | None:
    """Return the symbol of a perpetual; None for anything but a linear contract, such as spot.

    Raises:
        BadDataError: there is none.
    """
    row = Row("item", item)
    is_linear = not row.has("category") or row.maybe_text("category") == "linear"
    return row.text("symbol") if is_linear else None


def pushed_ms_of(message: Item) -> int:
    """Return when the venue sent a public message.

    Raises:
        BadDataError: it does not say.
    """
    return Row("message", message).time_ms("ts")


def sent_ms_of(message: Item) -> int | None:
    """Return when the venue sent a private message; None if it does not say.

    Raises:
        BadDataError: the time cannot be read.
    """
    row = Row("message", message)
    return row.time_ms("creationTime") if message.get("creationTime") is not None else None
