"""Finds the least trouble under which a world still breaks a promise."""

from collections.abc import Callable, Sequence

from tests.simulation.world import Outcome


def shrink(
    found: Outcome, again: Callable[[Sequence[str]], Outcome], names: Sequence[str]
) -> list[str]:
    """Return which kinds of trouble can be off, one tried after the other.

    Args:
        found: what the world showed with all of them.
        again: plays it once more, without some.
        names: of the kinds that are on.
    """
    off: list[str] = []
    for name in names:
        tried = again([*off, name])
        if tried.problems and _kind(tried.problems[0]) == _kind(found.problems[0]):
            off.append(name)
    return off


def _kind(problem: str) -> str:
    """Return what a problem says, without names and numbers."""
    return " ".join(word for word in problem.split() if word.isalpha() and word.islower())
