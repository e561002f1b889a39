"""What goes wrong in one process, and where."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from actors.core.system import Moment
from tests.simulation.plan import Chances
from tests.simulation.schedule import Schedule
from tests.simulation.scheduler import ProcessDiedError, Scheduler


class CrashError(Exception):
    """Raised in an actor that is to crash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one request."""

    connect_s: float
    out_s: float
    back_s: float
    reset_s: float | None = None
    """When whoever asked is told that the connection broke; the request travels on."""
    is_lost: bool = False
    is_cut: bool = False
    is_processed: bool = True
    status: int | None = None
    code: int | None = None


_CRITICAL = frozenset(
    {
        "Intent",
        "OrderUpdate",
        "Execution",
        "Decision",
        "StopMoved",
        "OperatorCommand",
        "/v5/order/create",
        "/v5/order/cancel",
        "/v5/position/trading-stop",
    }
)
"""Rare steps, at which much can go wrong."""
_OFTEN = 50.0
_MOST = 0.2
"""Else no process would come any further, however often it is begun again."""
_OF_CHANGE = 8.0
"""For one request that changes something there are dozens that only ask."""
_CHECKPOINT = 0.01
_FOR_EVER = 10_000.0
REFUSALS = (
    "database or disk is full",
    "attempt to write a readonly database",
    "database is locked",
)
CHANNEL_FATES = (
    "closes",
    "refuses",
    "refuses for ever",
    "raises",
    "hangs",
    "keeps silent",
    "is lost",
)


@dataclass(kw_only=True)
class Misfortune:
    """What goes wrong, and where; one for each process."""

    scheduler: Scheduler
    seed: str
    chances: Chances
    is_dead: Callable[[], bool]
    die: Callable[[str], None]
    """Takes where: the process is dead when it returns."""
    stored: Callable[[Sequence[Any]], None] = lambda _facts: None
    """Is told which facts were stored, or kept in the reserve."""
    refusal: Callable[[], str | None] = lambda: None
    """Returns why the disk refuses writes for a while; None: it does not."""
    is_supervised: Callable[[], bool] = lambda: True
    """Tells whether the loop that runs is replaced where it hangs."""
    checkpoint: Callable[[], None] = lambda: None
    """Lets the log of the journal be moved into its database."""
    hits: Counter[str] = field(default_factory=Counter)
    is_over: bool = False
    """Nothing goes wrong any more."""
    hang_s: float = 30.0
    note: Callable[[str], None] = lambda _what: None
    life: int = 0
    schedule: Schedule = field(default_factory=Schedule)
    rng: Random = field(init=False)
    _rngs: dict[str, Random] = field(default_factory=dict)
    _tosses: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Draw sizes and times from the seed."""
        self.rng = Random(self.seed)

    def at(self, kind: str, what: str, side: str) -> None:
        """Pass a step of a process, before or after its effect; it may be its last."""
        if self.is_dead():
            raise ProcessDiedError
        often = _OFTEN if what in _CRITICAL else 1.0
        if self._strikes("kill", often):
            where = f"kill {kind} {what} {side}"
            self.hit(where)
            self.die(where)
            raise ProcessDiedError

    def probe(self, address: str, moment: Moment) -> None:
        """Pass a step of an actor."""
        kind = address.partition("/")[0]
        self.at("step", kind, moment.value)
        if self._strikes("crash"):
            self.hit(f"crash {kind} {moment.value}")
            raise CrashError(moment.value)
        if self._strikes("exits"):
            self.hit(f"exit {kind} {moment.value}")
            raise SystemExit(moment.value)
        if self._strikes("hang"):
            self.hit(f"hang {kind} {moment.value}")
            self._hang()
        if self._strikes("stall"):
            self.hit(f"stall {kind} {moment.value}")
            self.scheduler.sleep(self.hang_s * self.rng.uniform(0.0, 0.5))

    def of_request(self, method: str, path: str) -> Fate:
        """Return what becomes of a request."""
        rng, is_change = self.rng, _OF_CHANGE if method == "POST" else 1.0
        connect_s = rng.uniform(0.0, 0.002)
        out_s, back_s = rng.uniform(0.005, 0.05), rng.uniform(0.005, 0.05)
        if self._strikes("late", is_change):
            self.hit(f"late {method} {path}")
            slow_s = rng.choice((0.5, 2.0, 6.0, 20.0, 60.0)) * rng.random()
            if rng.random() < 0.5:
                out_s += slow_s
            else:
                back_s += slow_s
        if self._strikes("lost", is_change):
            self.hit(f"lost {method} {path}")
            return Fate(connect_s=connect_s, out_s=out_s, back_s=back_s, is_lost=True)
        if self._strikes("cut", is_change):
            self.hit(f"cut {method} {path}")
            return Fate(connect_s=connect_s, out_s=out_s, back_s=back_s, is_cut=True)
        if self._strikes("reset", is_change):
            self.hit(f"reset {method} {path}")
            out_s = rng.uniform(0.0, 6.0)
            return Fate(
                connect_s=connect_s, out_s=out_s, back_s=back_s, reset_s=out_s * rng.random()
            )
        if self._strikes("refused", is_change):
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

    def hold(self, method: str, path: str) -> None:
        """Let the loop that has just asked something not run for longer than is allowed."""
        if self._strikes("hang", _OFTEN if method == "POST" else 1.0):
            self.hit(f"hang {method} {path}")
            self._hang()

    def _hang(self) -> None:
        """Sleep for longer than is allowed; now and then for ever, where somebody ends that."""
        is_for_ever = self.rng.random() < 0.3 and self.is_supervised()
        times = _FOR_EVER if is_for_ever else self.rng.uniform(1.0, 4.0)
        self.scheduler.sleep(self.hang_s * times)

    def of_news(self, kind: str) -> list[float]:
        """Return after how many seconds something that is told arrives: once, twice or never."""
        usual_s = self.rng.uniform(0.005, 0.05)
        if kind in ("login", "connect"):
            return [usual_s]
        if self._strikes("candle_lost" if kind == "candle" else "news_lost"):
            self.hit(f"news lost {kind}")
            return []
        if self._strikes("news_late"):
            self.hit(f"news late {kind}")
            usual_s += self.rng.choice((0.2, 1.0, 5.0, 30.0)) * self.rng.random()
        if self._strikes("news_doubled"):
            self.hit(f"news doubled {kind}")
            return [usual_s, usual_s + self.rng.random()]
        return [usual_s]

    def of_channel(self, name: str) -> str:
        """Return what becomes of a notice."""
        if not self._strikes("channel"):
            return "arrives"
        fate = self.rng.choice(CHANNEL_FATES)
        self.hit(f"channel {name} {fate}")
        return fate

    def of_disk(self) -> None:
        """Pass the end of a transaction, where the log may be moved into the database."""
        if self.rng.random() < _CHECKPOINT:
            self.checkpoint()

    def refusal_of_write(self) -> str | None:
        """Return why the disk refuses a write; None: it does not."""
        lasting = None if self.is_over else self.refusal()
        if lasting is not None:
            self.hit(f"disk, for a while: {lasting}")
            return lasting
        if self._strikes("disk"):
            why = self.rng.choice(REFUSALS)
            self.hit(f"disk: {why}")
            return why
        return None

    def wait_for_disk(self) -> None:
        """Let whoever writes wait."""
        if self._strikes("slow"):
            self.hit("disk: slow")
            self.scheduler.sleep(self.hang_s * self.rng.choice((0.01, 0.1, 0.6)))

    def hit(self, what: str) -> None:
        """Count what has happened."""
        self.hits[what] += 1
        self.schedule.note(what)
        self.note(what)

    def _strikes(self, kind: str, often: float = 1.0) -> bool:
        """Toss for one kind, each by numbers of its own: one that is off changes no other."""
        chance: float = getattr(self.chances, kind)
        if chance <= 0.0 or self.is_over:
            return False
        if kind not in self._rngs:
            self._rngs[kind] = Random(f"{self.seed}/{kind}")
        self._tosses[kind] += 1
        most = max(chance, _MOST)
        return self._rngs[kind].random() < min(most, chance * often) and self.schedule.lets(
            f"{self.life}.{kind}.{self._tosses[kind]}"
        )
