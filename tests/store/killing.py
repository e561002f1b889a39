"""A process that is killed as it is about to change a given file."""

import os
import sys
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

_KILLED, _DONE, _FAILED = 9, 0, 1
_CHANGES = {"os.rename", "os.remove", "os.mkdir", "sqlite3.connect"}


def killed_at_each_change(call: Callable[[], Callable[[], object]]) -> Iterator[None]:
    """Yield after each death, until a call lives long enough to be done.

    Args:
        call: prepares, in this process, what is called in one of its own; that dies before its
            first change of a file, the next one before its second, and so on.
    """
    for number in count(1):
        done = _exit_code(call(), number)
        assert done in (_KILLED, _DONE)
        if done == _DONE:
            assert number > 3
            return
        yield


def _exit_code(call: Callable[[], object], dies_at: int) -> int:
    child = os.fork()
    if child == 0:
        code = _FAILED
        try:
            sys.addaudithook(_killer(dies_at))
            call()
            code = _DONE
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _killer(dies_at: int) -> Callable[[str, tuple[Any, ...]], None]:
    left = dies_at

    def hook(event: str, details: tuple[Any, ...]) -> None:
        nonlocal left
        if event not in _CHANGES and not (event == "open" and _writes(*details)):
            return
        left -= 1
        if not left:
            os._exit(_KILLED)

    return hook


def _writes(_path: object, mode: str | None, flags: int) -> bool:
    return bool(flags & (os.O_WRONLY | os.O_RDWR)) or bool(mode and set(mode) & set("wa+"))
