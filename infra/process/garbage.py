"""Keeps the garbage collector's pauses short."""

import gc


def spare_the_old() -> None:
    """Never look again at what is there now: libraries, settings, actors.

    To walk through all of it takes 100 ms, in which no actor works. For a process that has started
    and whose present objects live as long as it does.
    """
    gc.collect()
    gc.freeze()
