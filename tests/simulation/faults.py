"""What goes wrong in one world: drawn from its seed, each kind on or off for all of it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from actors.core.system import Moment
from tests.simulation.scheduler import ProcessDiedError, Scheduler


class CrashError(Exception):
    """Raised in an actor that is to crash."""


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
    lag_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one request."""

    connect_s: float
    out_s: float
    back_s: float
    is_lost: bool = False
    is_cut: bool = False
    is_processed: bool = True
    status: int | None = None
    code: int | None = None


NONE = Chances()


def draw_chances(rng: Random) -> Chances:
    """Return the chances of one world: each kind of fault is on in about half of them."""

    def some(most: float) -> float:
        return most * rng.random() if rng.random() < 0.5 else 0.0

    return Chances(
        kill=some(0.0015),
        crash=some(0.003),
        exits=some(0.001),
        hang=some(0.0005),
        stall=some(0.002),
        lost=some(0.03),
        cut=some(0.05),
        late=some(0.05),
        refused=some(0.05),
        news_lost=some(0.1),
        news_late=some(0.2),
        news_doubled=some(0.1),
        candle_lost=some(0.1),
        disk=some(0.02),
        lag_s=some(0.5),
    )


@dataclass(kw_only=True)
class Misfortune:
    """What goes wrong, and where; one for each process."""

    scheduler: Scheduler
    rng: Random
    chances: Chances
    is_dead: Callable[[], bool]
    die: Callable[[str], None]
    """Takes where: the process is dead when it returns."""
    hits: Counter[str] = field(default_factory=Counter)
    is_over: bool = False
    """Nothing goes wrong any more."""
    hang_s: float = 30.0
    note: Callable[[str], None] = lambda _what: None

    def at(self, kind: str, what: str, side: str) -> None:
        """Pass a step of a process, before or after its effect; it may be its last."""
        if self.is_dead():
            raise ProcessDiedError
        if self._strikes(self.chances.kill):
            where = f"kill {kind} {what} {side}"
            self.hit(where)
            self.die(where)
            raise ProcessDiedError

    def probe(self, address: str, moment: Moment) -> None:
        """Pass a step of an actor."""
        kind = address.partition("/")[0]
        self.at("step", kind, moment.value)
        if self._strikes(self.chances.crash):
            self.hit(f"crash {kind} {moment.value}")
            raise CrashError(moment.value)
        if self._strikes(self.chances.exits):
            self.hit(f"exit {kind} {moment.value}")
            raise SystemExit(moment.value)
        if self._strikes(self.chances.hang):
            self.hit(f"hang {kind} {moment.value}")
            self.scheduler.sleep(self.hang_s * self.rng.uniform(1.0, 4.0))
        if self._strikes(self.chances.stall):
            self.hit(f"stall {kind} {moment.value}")
            self.scheduler.sleep(self.hang_s * self.rng.uniform(0.0, 0.5))

    def of_request(self, method: str, path: str) -> Fate:
        """Return what becomes of a request."""
        rng, chances = self.rng, self.chances
        connect_s = rng.uniform(0.0, 0.002)
        out_s, back_s = rng.uniform(0.005, 0.05), rng.uniform(0.005, 0.05)
        if self._strikes(chances.late):
            self.hit(f"late {method} {path}")
            slow_s = rng.choice((0.5, 2.0, 6.0, 20.0, 60.0)) * rng.random()
            if rng.random() < 0.5:
                out_s += slow_s
            else:
                back_s += slow_s
        if self._strikes(chances.lost):
            self.hit(f"lost {method} {path}")
            return Fate(connect_s=connect_s, out_s=out_s, back_s=back_s, is_lost=True)
        if self._strikes(chances.cut):
            self.hit(f"cut {method} {path}")
            return Fate(connect_s=connect_s, out_s=out_s, back_s=back_s, is_cut=True)
        if self._strikes(chances.refused):
            self.hit(f"refused {method} {path}")
            status, code = rng.choice(((502, None), (504, None), (None, 10016), (None, 10000)))
            is_processed = rng.random() < 0.5
            return Fate(
                connect_s=connect_s,
                out_s=out_s,
                back_s=back_s,
                status=status,
                code=code,
                is_processed=is_processed,
            )
        return Fate(connect_s=connect_s, out_s=out_s, back_s=back_s)

    def of_news(self, kind: str) -> list[float]:
        """Return after how many seconds something that is told arrives: once, twice or never."""
        usual_s = self.rng.uniform(0.005, 0.05)
        if kind in ("login", "connect"):
            return [usual_s]
        chances = self.chances
        if self._strikes(chances.candle_lost if kind == "candle" else chances.news_lost):
            self.hit(f"news lost {kind}")
            return []
        if self._strikes(chances.news_late):
            self.hit(f"news late {kind}")
            usual_s += self.rng.choice((0.2, 1.0, 5.0, 30.0)) * self.rng.random()
        if self._strikes(chances.news_doubled):
            self.hit(f"news doubled {kind}")
            return [usual_s, usual_s + self.rng.random()]
        return [usual_s]

    def refuses_write(self) -> bool:
        """Tell whether the disk refuses a write."""
        if self._strikes(self.chances.disk):
            self.hit("disk")
            return True
        return False

    def hit(self, what: str) -> None:
        """Count what has happened."""
        self.hits[what] += 1
        self.note(what)

    def _strikes(self, chance: float) -> bool:
        return chance > 0.0 and not self.is_over and self.rng.random() < chance
