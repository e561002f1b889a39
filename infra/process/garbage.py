"""Keeps the garbage collector's pauses short."""

import gc

_YOUNG, _ROUNDS = 20_000, (20, 50)
"""Objects that are made before the youngest are looked at, and how often before the older ones are.
Most of ours end by themselves: the trace holds messages for a while, and looked at them in vain."""


def spare_the_old() -> None:
    """Never look again at what is there now: libraries, settings, actors.

    To walk through all of it takes 100 ms, in which no actor works. For a process that has started
    and whose present objects live as long as it does.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *_ROUNDS)
