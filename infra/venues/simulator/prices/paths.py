"""The path of a price through one candle, tick by tick."""

import random
from decimal import Decimal
from itertools import pairwise

from infra.venues.simulator.prices.generator import Plan

_NOISE = 12
"""Usual deviation from the straight line: the candle's range divided by this."""
_RISES_FIRST = 0.5


def path(plan: Plan, ticks: int, chance: random.Random) -> list[Decimal]:
    """Return the price at each tick of a candle; its high, low and close are reached."""
    first, second = sorted(chance.sample(range(ticks - 1), 2))
    rises = chance.random() < _RISES_FIRST
    extremes = (plan.high, plan.low) if rises else (plan.low, plan.high)
    stations = [
        (-1, plan.open),
        (first, extremes[0]),
        (second, extremes[1]),
        (ticks - 1, plan.close),
    ]
    width = (plan.high - plan.low) / _NOISE
    found: list[Decimal] = []
    for (begin, left), (end, right) in pairwise(stations):
        for i in range(begin + 1, end):
            straight = left + (right - left) * (i - begin) / (end - begin)
            wanted = straight + width * Decimal(str(round(chance.gauss(0, 1), 4)))
            found.append(max(plan.low, min(plan.high, wanted)))
        found.append(right)
    return found
