"""Kills the process itself at a chosen step of its work, as a power cut would.

The steps are observed at the ports: the system itself does not know that it is watched. Only the
moment between a request and its answer is observed deeper, in the HTTP client.
"""

import http.client
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.errors import ConfigError


class Step(StrEnum):
    """A step that is about to happen, or has just happened."""

    INTENT_WRITTEN = "intent_written"
    """An order intent is on disk."""
    ORDER_SENT = "order_sent"
    """An entry was sent; its answer has not arrived."""
    CLOSE_SENT = "close_sent"
    """A reduce-only order was sent; its answer has not arrived."""
    ANSWER_RECEIVED = "answer_received"
    """The exchange's answer to an order was read; before: it waits in the socket."""
    FILL_SEEN = "fill_seen"
    """An execution was passed to its actor."""
    STOP_MOVED = "stop_moved"
    """The stops of a position were set."""
    FACTS_COMMITTED = "facts_committed"
    """Facts other than intents are in the journal."""


POINTS = tuple(f"{step}.{side}" for step in Step for side in ("before", "after"))
"""Every moment at which the process can be killed."""
_FORM = re.compile(r"(?P<point>[a-z_]+\.(?:before|after))(?:@(?P<nth>[1-9]\d*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class KillPoint:
    """A moment, and the occurrence at which the process dies."""

    point: str
    nth: int = 1


def read_kill_point(text: str) -> KillPoint:
    """Return the point from a text like `order_sent.after@2`.

    Raises:
        ConfigError: there is no such point.
    """
    found = _FORM.fullmatch(text)
    if found is None or found["point"] not in POINTS:
        raise ConfigError(
            f"--drill kill={text}: expected POINT@N, where POINT is one of {', '.join(POINTS)}"
        )
    return KillPoint(point=found["point"], nth=int(found["nth"] or 1))


def kill_this_process() -> None:
    """End at once: no handlers, no flushing."""
    os.kill(os.getpid(), signal.SIGKILL)


class Killer:
    """Counts the occurrences of one point, and kills at the chosen one."""

    def __init__(self, point: KillPoint, kill: Callable[[], None] = kill_this_process) -> None:
        """Wait for a point."""
        self._point = point
        self._kill = kill
        self._passed = 0
        self._lock = threading.Lock()
        self._sending = threading.local()

    def pass_by(self, point: str) -> None:
        """Kill the process if this is the moment."""
        if point != self._point.point:
            return
        with self._lock:
            self._passed += 1
            is_due = self._passed == self._point.nth
        if is_due:
            self._kill()

    @contextmanager
    def around(self, step: Step) -> Iterator[None]:
        """Watch a step; one that fails was not done, so its end is not passed."""
        self.pass_by(f"{step}.before")
        yield
        self.pass_by(f"{step}.after")

    @contextmanager
    def sending(self, step: Step) -> Iterator[None]:
        """Watch the sending of an order: requests of this thread inside the block are its own."""
        self._sending.step = step
        try:
            yield
        finally:
            self._sending.step = None

    def watch_requests(self) -> None:
        """Watch the moment between a request and its answer, in every HTTP client from now on."""
        read_answer = http.client.HTTPConnection.getresponse

        def watched(connection: http.client.HTTPConnection) -> Any:
            step = getattr(self._sending, "step", None)
            if step is None:
                return read_answer(connection)
            self.pass_by(f"{step}.after")
            answer = read_answer(connection)
            self.pass_by(f"{Step.ANSWER_RECEIVED}.before")
            return answer

        http.client.HTTPConnection.getresponse = watched  # type: ignore[method-assign,assignment]
