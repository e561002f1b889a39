"""Makes the wall clock jump, as after a correction of the machine's time."""

import threading
import time

from loguru import logger

from domain.errors import ConfigError

JUMPED = "drill: the wall clock jumps by"


def read_clock_jump(text: str) -> tuple[float, float]:
    """Return by and after how many seconds the clock jumps, from a text like `-3600@5`.

    Raises:
        ConfigError: it is not of this form.
    """
    jump, _, after = text.partition("@")
    try:
        return float(jump), float(after or 0)
    except ValueError as error:
        message = f"--drill clock={text}: expected SECONDS@AFTER_SECONDS, like -3600@5"
        raise ConfigError(message) from error


def jump_later(jump_s: float, after_s: float) -> None:
    """Make the wall clock of this process jump later; monotonic time is unaffected."""
    timer = threading.Timer(after_s, _jump, (jump_s,))
    timer.daemon = True
    timer.start()


def _jump(jump_s: float) -> None:
    logger.warning("{} {} s", JUMPED, jump_s)
    real_s, real_ns = time.time, time.time_ns
    time.time = lambda: real_s() + jump_s
    time.time_ns = lambda: real_ns() + round(jump_s * 1e9)
