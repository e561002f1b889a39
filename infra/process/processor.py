"""Keeps a process of many threads on one processor.

One thread at a time runs Python. Where the threads are spread over several processors, each
message wakes another one up, and its thread finds that the interpreter is held by the first: that
costs several times what most handlers do.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ALL: Collection[int] = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
"""The processors that the process was given."""


@contextmanager
def on_one_processor() -> Iterator[None]:
    """Bind this thread, and those that it starts meanwhile, to one processor.

    It is the one that the fewest other processes are bound to. Nothing is bound where the system
    knows no such thing, or where the interpreter runs threads at once.
    """
    if len(_ALL) <= 1 or not _has_lock():
        yield
        return
    with _bound({_least_taken(_ALL)}):
        yield


@contextmanager
def on_any_processor() -> Iterator[None]:
    """Let what this thread starts meanwhile, other processes, run anywhere."""
    with _bound(_ALL):
        yield


@contextmanager
def _bound(processors: Collection[int]) -> Iterator[None]:
    if not processors:
        yield
        return
    before = os.sched_getaffinity(0)
    with suppress(OSError):  # slower, and no reason not to trade
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
        with suppress(OSError):  # it may have ended meanwhile
            bound = os.sched_getaffinity(int(process.name))
            if len(bound) == 1:
                taken.update(bound)
    return min(processors, key=lambda number: (taken[number], -number))
