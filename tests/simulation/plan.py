"""Which kinds of trouble one world has: drawn from its seed, each on or off for all of it."""

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from random import Random

_FAULT_ON, _DEED_ON = 0.4, 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """How likely each misfortune is, at each occasion; 0: it never happens in this world."""

    kill: float = 0.0
    """At a step of the process: it dies."""
    crash: float = 0.0
    """At a step of an actor."""
    exits: float = 0.0
    """As a crash, but by SystemExit."""
    hang: float = 0.0
    """At a step of an actor: for longer than is allowed."""
    stall: float = 0.0
    """As a hang, but for a time that is allowed."""
    lost: float = 0.0
    """A request never arrives."""
    cut: float = 0.0
    """A request is done, the answer never comes."""
    reset: float = 0.0
    """The connection breaks while a request is on its way, which arrives all the same."""
    late: float = 0.0
    """A request, or its answer, takes long."""
    refused: float = 0.0
    """HTTP 502 or a code of the exchange's own trouble, done or not."""
    news_lost: float = 0.0
    news_late: float = 0.0
    news_doubled: float = 0.0
    candle_lost: float = 0.0
    disk: float = 0.0
    """A write is refused."""
    slow: float = 0.0
    """A write takes long, for whoever waits for it."""
    power: float = 0.0
    """A death of the process is one of the machine: what was not synced may be lost."""
    lag_s: float = 0.0
    channel: float = 0.0
    """A channel of notices refuses one, closes, hangs, raises or keeps silent; 0: there is none."""


NONE = Chances()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which kinds of trouble a world has."""

    chances: Chances = NONE
    deeds: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    """Keys of what alone may go wrong of that; see `Schedule`. None: all of it."""

    @staticmethod
    def all_names(deeds: Collection[str]) -> list[str]:
        """Return all kinds that there are."""
        return [*(f.name for f in fields(Chances)), *deeds]

    def names(self) -> list[str]:
        """Return all kinds that are on."""
        on = [f.name for f in fields(Chances) if getattr(self.chances, f.name) > 0.0]
        return [*on, *sorted(self.deeds)]

    def without(self, names: Collection[str]) -> "Plan":
        """Return the plan with some kinds off."""
        off = {f.name: 0.0 for f in fields(Chances) if f.name in names}
        deeds = self.deeds - frozenset(names)
        return replace(self, chances=replace(self.chances, **off), deeds=deeds)


def draw_plan(seed: int, deeds: Collection[str]) -> Plan:
    """Return the plan of one world: each kind of trouble is on in some of them."""
    rng = Random(f"{seed}/plan")
    chances = _draw_chances(rng)
    channel = Random(f"{seed}/plan/channel")
    if channel.random() < _FAULT_ON:
        chances = replace(chances, channel=0.5 * channel.random())
    return Plan(chances=chances, deeds=frozenset(name for name in deeds if rng.random() < _DEED_ON))


def _draw_chances(rng: Random) -> Chances:
    def some(most: float) -> float:
        return most * rng.random() if rng.random() < _FAULT_ON else 0.0

    return Chances(
        kill=some(rng.choice((0.003, 0.003, 0.02))),
        crash=some(0.003),
        exits=some(0.001),
        hang=some(0.003),
        stall=some(0.002),
        lost=some(0.03),
        cut=some(0.05),
        reset=some(0.05),
        late=some(0.05),
        refused=some(0.05),
        news_lost=some(0.1),
        news_late=some(0.2),
        news_doubled=some(0.1),
        candle_lost=some(0.1),
        disk=some(0.02),
        slow=some(0.05),
        power=some(1.0),
        lag_s=some(0.5),
    )
