"""Reads the drills of a command line."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from actors.core.system import Moment, Probe
from actors.drill import CrashDrill, Fail, HangDrill, PoisonDrill, crash, exit_thread, interrupt
from actors.names import ACCOUNT, NOTIFIER, PORTFOLIO, asset_name, execution_name
from domain.errors import ConfigError
from infra.process.times import read_time

_REPLAY_FORMS = (
    "crash=P (0 to 1), suspend=ASSET@ISO or poison=ASSET@ISO (or any other actor's name)"
)
_SIM_FORMS = (
    "crash=P, exit=P, interrupt=P, hang=P:SECONDS (P from 0 to 1), poison=ASSET@ISO (or "
    "any other actor's name; or so long after the start: 5s), kill=POINT@N, "
    "full=FIRST:COUNT, readonly=FIRST:COUNT, clock=SECONDS@AFTER or freeze=SECONDS@AFTER"
)
_SHARED = (PORTFOLIO, NOTIFIER, ACCOUNT)
_AFTER = re.compile(r"(?P<actor>[^@]+)@(?P<after_s>\d+(?:\.\d+)?)s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drills:
    """What is made to fail in a run."""

    crash_probability: float = 0.0
    exit_probability: float = 0.0
    interrupt_probability: float = 0.0
    hang_probability: float = 0.0
    hang_s: float = 0.0
    suspensions: tuple[tuple[str, int], ...] = ()
    """Addresses of actors that are given up, and before which close."""
    poisons: tuple[tuple[str, int], ...] = ()
    """Addresses of actors that crash on every message, and since when."""
    late_poisons: tuple[tuple[str, float], ...] = ()
    """The same, and after how many real seconds."""
    seed: int = 0

    def make_probe(self, now_ms: Callable[[], int]) -> Probe | None:
        """Return what fails the actors; None where nothing does."""
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


def read_replay_drills(texts: Sequence[str], assets: Sequence[str], seed: int) -> Drills:
    """Return the drills of a replay's command line.

    Raises:
        ConfigError: one is not of the forms that a replay has.
    """
    return _read(
        texts, assets, seed, {"crash", "suspend", "poison"}, _REPLAY_FORMS, has_real_time=False
    )


def read_sim_drills(texts: Sequence[str], assets: Sequence[str], seed: int) -> Drills:
    """Return the actors' drills of a run at the simulated exchange.

    Raises:
        ConfigError: one is not of the forms that such a run has.
    """
    kinds = {"crash", "exit", "interrupt", "hang", "poison"}
    return _read(texts, assets, seed, kinds, _SIM_FORMS, has_real_time=True)


def _read(
    texts: Sequence[str],
    assets: Sequence[str],
    seed: int,
    kinds: set[str],
    forms: str,
    *,
    has_real_time: bool,
) -> Drills:
    found: dict[str, Any] = {"late_poisons": ()}
    for text in texts:
        kind, _, value = text.partition("=")
        late = _AFTER.fullmatch(value) if kind == "poison" and has_real_time else None
        if late is not None:
            after = (_address(text, late["actor"], assets), float(late["after_s"]))
            found["late_poisons"] += (after,)
            continue
        if kind not in kinds:
            raise ConfigError(f"--drill {text}: unknown drill; allowed: {forms}")
        _take(found, kind, value, text, assets)
    return Drills(seed=seed, **found)


def _take(found: dict[str, Any], kind: str, value: str, text: str, assets: Sequence[str]) -> None:
    match kind:
        case "crash" | "exit" | "interrupt":
            found[f"{kind}_probability"] = _probability(text, value)
        case "hang":
            chance, _, seconds = value.partition(":")
            found["hang_probability"] = _probability(text, chance)
            found["hang_s"] = _seconds(text, seconds)
        case "suspend":
            at = _actor_at(text, value, assets)
            found["suspensions"] = (*found.get("suspensions", ()), at)
        case "poison":
            at = _actor_at(text, value, assets)
            found["poisons"] = (*found.get("poisons", ()), at)


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


def _actor_at(text: str, value: str, assets: Sequence[str]) -> tuple[str, int]:
    name, at, when = value.partition("@")
    address = _address(text, name, assets)
    if not at:
        kind = text.partition("=")[0]
        like = f"{kind}={name}@2025-05-01T12:00"
        raise ConfigError(f"--drill {text}: expected a time after the actor, like {like}")
    return address, read_time(f"--drill {text}:", when)


def _address(text: str, name: str, assets: Sequence[str]) -> str:
    actors = {asset: asset_name(asset) for asset in assets}
    addresses = (*map(asset_name, assets), *map(execution_name, assets), *_SHARED)
    actors |= {address: address for address in addresses}
    if name not in actors:
        raise ConfigError(f"--drill {text}: expected ACTOR@ISO with one of {', '.join(actors)}")
    return actors[name]


def _real_ms() -> float:
    return time.monotonic() * 1000
