"""Finds the least trouble under which a world still breaks a promise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.simulation.terms import Terms
from tests.simulation.world import Outcome

MOST_PLAYS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """A world that breaks the same promise with less trouble."""

    terms: Terms
    outcome: Outcome


def shrink(found: Outcome, terms: Terms, most_plays: int = MOST_PLAYS) -> Shrunk:
    """Leave out kinds of trouble, then single events, as long as the same promise breaks.

    Args:
        found: what the world showed with all of them.
        terms: under which it was played.
        most_plays: how often it is played again at most.
    """
    left = [most_plays]
    promise = _kind(found.problems[0])
    best = Shrunk(terms=terms, outcome=found)

    def breaks(tried: Terms) -> bool:
        nonlocal best
        if left[0] <= 0:
            return False
        left[0] -= 1
        outcome = tried.play(found.seed)
        if not outcome.problems or _kind(outcome.problems[0]) != promise:
            return False
        best = Shrunk(terms=tried, outcome=outcome)
        return True

    kinds = terms.plan(found.seed).names()
    least(kinds, lambda on: breaks(terms.without(*(kind for kind in kinds if kind not in on))))
    fewer, keys = best.terms, [strike.key for strike in best.outcome.strikes]
    least(keys, lambda on: breaks(fewer.with_only(on)))
    return best


def least(items: Sequence[str], breaks: Callable[[list[str]], bool]) -> list[str]:
    """Return items without which it breaks no more: delta debugging, down to one by one.

    Args:
        items: with all of which it breaks.
        breaks: tells whether it still does with some of them, in their order.
    """
    kept, parts = list(items), 2
    while kept:
        size = max(1, len(kept) // parts)
        for begin in range(0, len(kept), size):
            fewer = kept[:begin] + kept[begin + size :]
            if breaks(fewer):
                kept, parts = fewer, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(len(kept), parts * 2)
    return kept


def _kind(problem: str) -> str:
    """Return what a problem says, without names and numbers."""
    return " ".join(word for word in problem.split() if word.isalpha() and word.islower())
