"""Repeated queries: stored once, then counted, so that polling cannot fill the journal."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from loguru import logger

from actors.core.envelope import Origin
from domain.operator import wording as say

WINDOW_S = 60.0
_CLOSE_S = 10.0
_LONGEST = 120
"""Longest result, so that its count is visible beside it."""
_MOST_ACCESSES = 60
"""Most kinds of refused requests per window; a flood of further ones counts as one more kind."""
ACCESS = "access"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query and its answer; nothing was changed."""

    operator: str
    command: str
    arguments: str
    result: str
    is_done: bool


Store = Callable[[Asked, Origin], None]
"""Takes what to store, and the message that caused it."""


@dataclass(slots=True)
class _Window:
    """A window starts when something is first asked, or when its repeats were last stored."""

    origin: Origin
    began_ms: int
    ends_s: float
    repeats: int = 0


class Repeats:
    """Stores the first of a kind at once, and once a minute the number of repeats."""

    def __init__(
        self, store: Store, now_ms: Callable[[], int], *, window_s: float = WINDOW_S
    ) -> None:
        """Start empty.

        Args:
            store: stores a query; called in the requester's thread, and in one of its own.
            now_ms: the present, for texts.
            window_s: how long repeats are counted before they are stored.
        """
        self._store = store
        self._now_ms = now_ms
        self._window_s = window_s
        self._windows: dict[Asked, _Window] = {}
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def note(self, asked: Asked, cause: Callable[[], Origin]) -> None:
        """Store what is new, and count what is not.

        Args:
            asked: the query.
            cause: constructs the message that causes what is stored.
        """
        with self._changed:
            asked = self._bounded(asked)
            window = self._windows.get(asked)
            if window is not None:
                window.repeats += 1
                return
            origin = cause()
            self._windows[asked] = self._window(origin)
            self._changed.notify()
        try:
            self._store(asked, origin)
        except Exception:
            with self._changed:  # the next of its kind is tried, and warned about, again
                self._windows.pop(asked, None)
            raise

    def close(self) -> None:
        """Store what was counted so far."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(_CLOSE_S)

    def _window(self, origin: Origin) -> _Window:
        return _Window(origin, self._now_ms(), time.monotonic() + self._window_s)

    def _bounded(self, asked: Asked) -> Asked:
        if asked.command != ACCESS or asked in self._windows:
            return asked
        if sum(known.command == ACCESS for known in self._windows) < _MOST_ACCESSES:
            return asked
        return Asked(
            operator="http", command=ACCESS, arguments="others", result="refused", is_done=False
        )

    def _run(self) -> None:
        is_last = False
        while not is_last:
            with self._changed:
                self._wait()
                is_last, ended = self._is_closing, list(self._ended())
            for asked, origin in ended:
                try:
                    self._store(asked, origin)
                except Exception:  # noqa: BLE001 (a full disk must not end the counting)
                    logger.opt(exception=True).error("could not be stored: {}", asked)

    def _wait(self) -> None:
        if not self._is_closing:
            now_s = time.monotonic()
            ends_s = min((w.ends_s for w in self._windows.values()), default=None)
            self._changed.wait(None if ends_s is None else max(0.0, ends_s - now_s))

    def _ended(self) -> Iterator[tuple[Asked, Origin]]:
        """Return the repeats of finished windows; those with repeats start a new window."""
        now_s = time.monotonic()
        for asked, window in list(self._windows.items()):
            if now_s < window.ends_s and not self._is_closing:
                continue
            if window.repeats:
                self._windows[asked] = self._window(window.origin)
                yield _repeated(asked, window), window.origin
            else:
                del self._windows[asked]


def _repeated(asked: Asked, window: _Window) -> Asked:
    result = asked.result[:_LONGEST]
    more = f"{result}; {window.repeats} more since {say.utc(window.began_ms)}"
    return replace(asked, result=more)
