"""Signals that ask a process to end."""

import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


def call_at_signals(call: Callable[[], object]) -> Callable[[], None]:
    """Call at each signal that asks the process to end, and return what undoes this.

    The call is made in a thread of its own. A handler runs in the middle of whatever the main
    thread does: one that sets an Event for which that thread is about to wait waits for itself.
    """
    asked: SimpleQueue[int] = SimpleQueue()

    def listen() -> None:
        while asked.get():
            call()

    def handle(number: int, _frame: FrameType | None) -> None:
        asked.put(number)

    threading.Thread(target=listen, name="signals", daemon=True).start()
    before = {number: signal.signal(number, handle) for number in _NUMBERS}

    def undo() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        asked.put(0)

    return undo
