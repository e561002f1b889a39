"""How worlds are played: all that their seeds do not say."""

import gc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from loguru import logger

from tests.simulation.events import DEEDS
from tests.simulation.pace import settings_for
from tests.simulation.plan import Plan, draw_plan
from tests.simulation.world import Outcome, World, play

_SELDOM = (100_000, 20, 100)
"""Each life leaves a circle of actors behind; to look for it more often costs a tenth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The same for all seeds of one command."""

    minutes: float
    """Of trouble, virtual."""
    settings: Path | None = None
    off: tuple[str, ...] = ()
    """Kinds of trouble that do not happen."""
    kills: float | None = None
    """How likely a process dies at a step; None: as the seed draws it."""

    only: tuple[str, ...] | None = None
    """Keys of what alone may go wrong; None: all that is drawn."""

    def plan(self, seed: int) -> Plan:
        """Return which kinds of trouble the world of a seed has."""
        drawn = draw_plan(seed, DEEDS)
        if self.kills is not None:
            drawn = replace(drawn, chances=replace(drawn.chances, kill=self.kills))
        only = None if self.only is None else frozenset(self.only)
        return replace(drawn.without(self.off), only=only)

    def play(
        self,
        seed: int,
        on_broken: Callable[[World], None] = lambda _world: None,
        *,
        is_traced: bool = False,
    ) -> Outcome:
        """Play the world of a seed; in a process of its own where there are several."""
        logger.remove()
        gc.set_threshold(*_SELDOM)
        settings = settings_for(seed, self.settings)
        return play(seed, settings, self.minutes, self.plan(seed), on_broken, is_traced=is_traced)

    def without(self, *more: str) -> "Terms":
        """Return the terms with some kinds of trouble off besides."""
        return replace(self, off=(*self.off, *more))

    def with_only(self, keys: Iterable[str]) -> "Terms":
        """Return the terms under which nothing else goes wrong."""
        return replace(self, only=tuple(keys))

    def command(self, seed: int) -> str:
        """Return the command that plays the world of a seed again."""
        words = f"bin/simulate --seeds 1 --seed {seed} --minutes {self.minutes:g}"
        words += "" if self.settings is None else f" --settings {self.settings}"
        words += "" if self.kills is None else f" --kills {self.kills:g}"
        words += f' --without "{",".join(self.off)}"' if self.off else ""
        return words if self.only is None else f'{words} --only "{",".join(self.only)}"'
