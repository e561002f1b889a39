"""One world: an exchange that lives through it, and the lives of one system at it, by a seed."""

import hashlib
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from actors.core.trace import Handling
from infra.settings import Settings
from tests.simulation.exchange import START_MS, Exchange
from tests.simulation.faults import NONE, Chances, Misfortune, draw_chances
from tests.simulation.scheduler import Scheduler
from tests.simulation.system import SPARE_CANDLES, Pace, SystemProcess

_MEMORY = Path("/dev/shm")


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What one world showed."""

    seed: int
    event_hash: str = ""
    problems: list[str] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    deaths: int = 0
    messages: int = 0
    steps: int = 0
    minutes: float = 0.0
    orders: int = 0
    trades: int = 0


class World:
    """All that one seed leads to."""

    def __init__(
        self, seed: int, settings: Settings, folder: Path, chances: Chances | None = None
    ) -> None:
        self.outcome = Outcome(seed=seed)
        self.rng = Random(f"{seed}/world")
        self.scheduler = Scheduler(Random(f"{seed}/order"))
        self.chances = draw_chances(self.rng) if chances is None else chances
        self.scheduler.lag_s = self.chances.lag_s
        self._settings = settings
        self._folder = folder
        self.rules = settings.trading_rules()
        self.exchange = Exchange(
            self.scheduler,
            [asset.instrument for asset in self.rules.assets],
            self.rules.fills,
            seed,
            self.rules.candles.warmup_candles + SPARE_CANDLES + 10,
        )
        self._hash = hashlib.blake2b(digest_size=8)
        self.lives = 0
        self.is_calm = False
        self.system = self._new_life()

    def run(self, until_s: float) -> None:
        """Let time pass."""
        while self.scheduler.now_us < until_s * 1_000_000:
            self.step()

    def step(self) -> None:
        """Let one thing happen."""
        self.scheduler.step()
        system = self.system
        if system.is_over and not system.process.is_dead:
            self.note(f"ended by itself {system.main.error!r}")
            self.outcome.hits[f"ended by itself {system.main.error!r}"[:120]] += 1
            system.process.is_dead = True
        if system.process.is_dead and not system.is_buried:
            self._bury()

    def note(self, what: str) -> None:
        """Make something part of what equal seeds must have in common."""
        self._hash.update(f"{self.scheduler.now_us} {what}\n".encode())

    def finish(self) -> Outcome:
        """End the world, and return what it showed."""
        self.system.bury()
        outcome = self.outcome
        outcome.steps = self.scheduler.switches
        outcome.minutes = self.scheduler.now_s() / 60
        outcome.event_hash = self._hash.hexdigest()
        outcome.deaths = self.lives - 1
        records = self.exchange.records()
        outcome.orders = len(records["orders"])
        outcome.trades = len(self.exchange.account.closed)
        return outcome

    def _new_life(self) -> SystemProcess:
        self.lives += 1
        return SystemProcess(
            scheduler=self.scheduler,
            exchange=self.exchange,
            misfortune=self._misfortune,
            settings=self._settings,
            folder=self._folder,
            rng=Random(f"{self.outcome.seed}/life/{self.lives}"),
            record=self._record,
            first_id=self.lives * 1_000_000_000,
            pace=Pace(),
        )

    def _misfortune(self, system: SystemProcess) -> Misfortune:
        def die(where: str) -> None:
            self.note(where)
            system.process.is_dead = True

        return Misfortune(
            scheduler=self.scheduler,
            rng=Random(f"{self.outcome.seed}/misfortune/{self.lives}"),
            chances=self.chances,
            is_dead=lambda: system.process.is_dead,
            die=die,
            hits=self.outcome.hits,
            is_over=self.is_calm,
            note=self.note,
        )

    def _bury(self) -> None:
        self.system.bury()
        away_s = self.rng.choice((0.5, 5.0, 60.0, 900.0)) * self.rng.random()
        if self.is_calm:
            away_s = 1.0
        self.scheduler.call_in(away_s, self._begin_again)

    def _begin_again(self) -> None:
        self.system = self._new_life()

    def _record(self, handling: Handling) -> None:
        self.outcome.messages += 1
        envelope = handling.envelope
        name = type(envelope.message).__name__
        self.note(
            f"{envelope.message_id} {envelope.sender}>{envelope.receiver} {name} "
            f"{handling.outcome} {envelope.now_ms} {len(handling.calls)} {len(handling.told)}"
        )


def play(seed: int, settings: Settings, minutes: float, chances: Chances | None = None) -> Outcome:
    """Play one world to its end."""
    base = _MEMORY if _MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="simulate-", dir=base))
    try:
        world = World(seed, settings, folder, chances)
        world.run(minutes * 60)
        return world.finish()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
