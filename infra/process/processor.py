"""Keeps a process of many threads on one processor.

Only one thread at a time runs Python. If the threads are spread over several processors, each
message wakes up another one, whose thread finds the interpreter held by the first: that costs
several times as much as most handlers.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ALL: Collection[int] = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
"""The processors that the process was allowed to use at its start."""


@contextmanager
def on_one_processor() -> Iterator[None]:
    """Bind this thread, and threads started inside the block, to one processor.

    It is the one that the fewest other processes are bound to. Nothing is bound if the system does
    not support it, or if the interpreter runs threads in parallel.
    """
    if len(_ALL) <= 1 or not _has_lock():
        yield
        return
    with _bound({_least_taken(_ALL)}):
        yield


@contextmanager
def on_any_processor() -> Iterator[None]:
    """Let processes that this thread starts inside the block run on any processor."""
    with _bound(_ALL):
        yield


@contextmanager
def _bound(processors: Collection[int]) -> Iterator[None]:
    if not processors:
        yield
        return
    before = os.sched_getaffinity(0)
    with suppress(OSError):  # slower, but no reason not to trade
        os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, before)


def _has_lock() -> bool:
    is_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return is_enabled()


def _least_taken(processors: Collection[int]) -> int:
    """Return the processor that the fewest processes are bound to; of equals the last."""
    taken: Counter[int] = Counter()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # the process may have ended meanwhile
            bound = os.sched_getaffinity(int(process.name))
            if len(bound) == 1:
                taken.update(bound)
    return min(processors, key=lambda number: (taken[number], -number))
