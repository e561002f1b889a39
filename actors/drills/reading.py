"""Reads the drills of a command line."""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from actors.core.system import Moment, Probe
from actors.drills.probes import (
    CrashDrill,
    Fail,
    HangDrill,
    PoisonDrill,
    crash,
    exit_thread,
    interrupt,
)
from actors.names import ACCOUNT, NOTIFIER, PORTFOLIO, asset_name, execution_name
from domain.errors import ConfigError

_REPLAY_FORMS = (
    "crash=P (0 to 1), suspend=ASSET@ISO or poison=ASSET@ISO (or any other actor's name)"
)
_SIM_FORMS = (
    "crash=P, exit=P, interrupt=P, hang=P:SECONDS (P from 0 to 1), poison=ASSET@ISO (or "
    "any other actor's name; or so long after the start: 5s), kill=POINT@N, "
    "full=FIRST:COUNT, readonly=FIRST:COUNT, clock=SECONDS@AFTER or freeze=SECONDS@AFTER"
)
_SHARED = (PORTFOLIO, NOTIFIER, ACCOUNT)
_AFTER = re.compile(r"poison=(?P<actor>[^@]+)@(?P<after_s>\d+(?:\.\d+)?)s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drills:
    """The drills of a run."""

    crash_probability: float = 0.0
    exit_probability: float = 0.0
    interrupt_probability: float = 0.0
    hang_probability: float = 0.0
    hang_s: float = 0.0
    suspensions: tuple[tuple[str, int], ...] = ()
    """Addresses of actors to give up, and before which close."""
    poisons: tuple[tuple[str, int], ...] = ()
    """Addresses of actors that crash on every message, and from when on."""
    late_poisons: tuple[tuple[str, float], ...] = ()
    """The same, with the real seconds after the start."""
    seed: int = 0

    def make_probe(self, now_ms: Callable[[], int]) -> Probe | None:
        """Return the probe that makes actors fail; None without drills."""
        probes: list[Probe] = [
            PoisonDrill(address=address, from_ms=from_ms, now_ms=now_ms)
            for address, from_ms in self.poisons
        ]
        probes += [
            PoisonDrill(address=address, from_ms=_real_ms() + after_s * 1000, now_ms=_real_ms)
            for address, after_s in self.late_poisons
        ]
        failures: list[tuple[float, Fail]] = [
            (self.crash_probability, crash),
            (self.exit_probability, exit_thread),
            (self.interrupt_probability, interrupt),
            (self.hang_probability, HangDrill(self.hang_s)),
        ]
        probes += [CrashDrill(chance, self.seed, fail) for chance, fail in failures if chance]
        if not probes:
            return None

        def probe(address: str, moment: Moment) -> None:
            for one in probes:
                one(address, moment)

        return probe


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillReader:
    """Reads the drills of actors on a command line."""

    assets: Sequence[str]
    seed: int
    """Seed of all random drills."""
    read_time: Callable[[str, str], int]
    """Takes an option and an ISO time, and returns it in ms; raises ConfigError."""

    def of_replay(self, texts: Iterable[str]) -> Drills:
        """Return the drills of a replay.

        Raises:
            ConfigError: one is not a drill of replays.
        """
        return self._read(texts, {"crash", "suspend", "poison"}, _REPLAY_FORMS)

    def of_simulation(self, texts: Iterable[str]) -> Drills:
        """Return the drills of a run at the simulated exchange, in real time.

        Raises:
            ConfigError: one is not a drill of such runs.
        """
        kinds = {"crash", "exit", "interrupt", "hang", "poison"}
        early, late = [], []
        for text in texts:
            match = _AFTER.fullmatch(text)
            if match is None:
                early.append(text)
            else:
                late.append((self._address(text, match["actor"]), float(match["after_s"])))
        return replace(self._read(early, kinds, _SIM_FORMS), late_poisons=tuple(late))

    def _read(self, texts: Iterable[str], kinds: set[str], forms: str) -> Drills:
        drills = Drills(seed=self.seed)
        for text in texts:
            kind, _, value = text.partition("=")
            if kind not in kinds:
                raise ConfigError(f"--drill {text}: unknown drill; allowed: {forms}")
            drills = self._with(drills, kind, value, text)
        return drills

    def _with(self, drills: Drills, kind: str, value: str, text: str) -> Drills:
        match kind:
            case "crash":
                return replace(drills, crash_probability=_probability(text, value))
            case "exit":
                return replace(drills, exit_probability=_probability(text, value))
            case "interrupt":
                return replace(drills, interrupt_probability=_probability(text, value))
            case "hang":
                chance, _, seconds = value.partition(":")
                probability = _probability(text, chance)
                return replace(drills, hang_probability=probability, hang_s=_seconds(text, seconds))
            case "suspend":
                at = self._actor_at(text, value)
                return replace(drills, suspensions=(*drills.suspensions, at))
            case _:
                return replace(drills, poisons=(*drills.poisons, self._actor_at(text, value)))

    def _actor_at(self, text: str, value: str) -> tuple[str, int]:
        name, at, when = value.partition("@")
        address = self._address(text, name)
        if not at:
            kind = text.partition("=")[0]
            like = f"{kind}={name}@2025-05-01T12:00"
            raise ConfigError(f"--drill {text}: expected a time after the actor, like {like}")
        return address, self.read_time(f"--drill {text}:", when)

    def _address(self, text: str, name: str) -> str:
        actors = {asset: asset_name(asset) for asset in self.assets}
        addresses = (*map(asset_name, self.assets), *map(execution_name, self.assets), *_SHARED)
        actors |= {address: address for address in addresses}
        if name not in actors:
            raise ConfigError(f"--drill {text}: expected ACTOR@ISO with one of {', '.join(actors)}")
        return actors[name]


def _probability(text: str, value: str) -> float:
    try:
        probability = float(value)
    except ValueError:
        probability = -1.0
    if not 0.0 <= probability < 1.0:
        raise ConfigError(f"--drill {text}: P must be a number of at least 0 and below 1")
    return probability


def _seconds(text: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if seconds <= 0.0:
        raise ConfigError(f"--drill {text}: expected P:SECONDS, like hang=0.001:10")
    return seconds


def _real_ms() -> float:
    return time.monotonic() * 1000
