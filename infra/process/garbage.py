"""Keeps the garbage collector's pauses short."""

import gc

_YOUNG, _ROUNDS = 20_000, (20, 50)
"""Thresholds: allocations before a collection of the youngest generation, and collections before
those of older ones. Most objects are freed by reference counting; the trace keeps messages for a
while, so that early collections find nothing."""


def spare_the_old() -> None:
    """Exclude all current objects from collection: libraries, settings, actors.

    Traversing them takes 100 ms, in which no actor works. For a process that has started and whose
    current objects live as long as it does.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *_ROUNDS)
