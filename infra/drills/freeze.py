"""Holds the interpreter in a long C call: no Python thread runs meanwhile."""

import ctypes
import threading

from domain.errors import ConfigError


def read_freeze(text: str) -> tuple[int, float]:
    """Return for and after how many seconds to freeze, from a text like `60@5`.

    Raises:
        ConfigError: it is not of this form.
    """
    length, _, after = text.partition("@")
    try:
        return int(length), float(after or 0)
    except ValueError as error:
        message = f"--drill freeze={text}: expected SECONDS@AFTER_SECONDS, like 60@5"
        raise ConfigError(message) from error


def freeze_later(length_s: int, after_s: float) -> None:
    """Freeze the process later."""
    # PyDLL, unlike CDLL, keeps the interpreter's lock during the call.
    timer = threading.Timer(after_s, ctypes.PyDLL(None).sleep, (length_s,))
    timer.daemon = True
    timer.start()
