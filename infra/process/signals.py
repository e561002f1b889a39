"""Signals that ask something of a process."""

import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

TO_END = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupted_by_every_end() -> Iterator[None]:
    """Let all signals that end a process raise KeyboardInterrupt, until they have another use.

    SIGINT as well: a shell lets its background jobs ignore it.
    """
    before = {number: signal.signal(number, signal.default_int_handler) for number in TO_END}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def call_at_signals(
    call: Callable[[], object], numbers: Collection[signal.Signals] = TO_END
) -> Callable[[], None]:
    """Call at each of some signals, those that end a process or others; return what undoes this.

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
    before = {number: signal.signal(number, handle) for number in numbers}

    def undo() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        asked.put(0)

    return undo
