"""Makes actors fail on purpose, to demonstrate supervision."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from threading import Event

from actors.core.system import Moment

Fail = Callable[[Moment], None]
"""Makes the working actor fail in the way of the drill."""
_IN_WORK = (Moment.BEFORE_WORK, Moment.AFTER_FACTS, Moment.AFTER_TELLS)


class DrillError(Exception):
    """A failure caused by a drill."""


def crash(moment: Moment) -> None:
    """Fail as a bug would."""
    raise DrillError(f"crash drill: {moment}")


def exit_thread(moment: Moment) -> None:
    """Fail with a non-Exception, such as from a library that calls sys.exit."""
    raise SystemExit(f"exit drill: {moment}")


def interrupt(moment: Moment) -> None:
    """Fail with what would end the whole process elsewhere, and every actor under plain Pykka."""
    raise KeyboardInterrupt(f"interrupt drill: {moment}")


class HangDrill:
    """Keeps an actor busy; when it wakes up it goes on as if nothing had happened."""

    def __init__(self, seconds: float) -> None:
        """Hang for real seconds."""
        self._seconds = seconds
        self._never = Event()

    def __call__(self, _moment: Moment) -> None:
        self._never.wait(self._seconds)


class CrashDrill:
    """Makes an actor fail at a random moment of a random message, or of its start.

    Each address has its own random numbers, so that a seed repeats a drill whatever the timing of
    threads.
    """

    def __init__(self, probability: float, seed: int, fail: Fail = crash) -> None:
        """Make each message, and each start, fail with a probability in [0, 1]."""
        self._probability = probability
        self._seed = seed
        self._fail = fail
        self._randoms: dict[str, Random] = {}
        self._planned: dict[str, Moment | None] = {}

    def __call__(self, address: str, moment: Moment) -> None:
        """Fail if the drill has planned it."""
        random = self._randoms.get(address)
        if random is None:
            random = self._randoms[address] = Random(f"{self._seed}/{address}")  # noqa: S311
        if moment is Moment.START:
            self._planned[address] = moment if self._strikes(random) else None
        elif moment is Moment.BEFORE_WORK:
            self._planned[address] = random.choice(_IN_WORK) if self._strikes(random) else None
        if self._planned.get(address) is moment:
            self._fail(moment)

    def _strikes(self, random: Random) -> bool:
        return random.random() < self._probability


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonDrill:
    """Crashes one actor on every message from a given time on."""

    address: str
    from_ms: float
    now_ms: Callable[[], float]

    def __call__(self, address: str, moment: Moment) -> None:
        """Raise for every message of the poisoned address."""
        is_hit = address == self.address and moment is Moment.BEFORE_WORK
        if is_hit and self.now_ms() >= self.from_ms:
            raise DrillError("poison drill")
