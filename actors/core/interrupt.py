"""Ends a thread that loops in code which may safely be interrupted anywhere."""

import ctypes
import sys
from collections.abc import Callable


class AbandonedError(BaseException):
    """Raised in an abandoned incarnation's thread; no `except Exception` around a loop stops it."""


def interrupt(thread_id: int, function: Callable[..., object]) -> bool:
    """Raise `AbandonedError` in a thread, if it is inside a call of a function.

    An endless loop would otherwise take its share of the interpreter as long as the process lives.
    The exception is raised wherever the thread is, so the function, and what it calls, must hold no
    lock and write nothing that others read.

    Returns:
        Whether it is inside. Code waiting in C raises only once it returns.
    """
    frame = sys._current_frames().get(thread_id)  # noqa: SLF001 (documented)
    code = getattr(function, "__code__", None)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    if frame is None:
        return False
    raised = ctypes.py_object(AbandonedError)
    reached: int = ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), raised)
    return reached == 1
