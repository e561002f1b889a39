"""Signals to the process."""

import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

TO_END = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupted_by_every_end() -> Iterator[None]:
    """Make all terminating signals raise KeyboardInterrupt, until they get another handler.

    SIGINT too: a shell makes its background jobs ignore it.
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
    """Call on certain signals, by default the terminating ones; return what undoes this.

    The call is made in a thread of its own. A handler would run in the middle of whatever the main
    thread does: if it set an Event that the thread is about to wait for, it could deadlock.
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
