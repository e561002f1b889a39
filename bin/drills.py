"""Reads the drills of a command line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from actors.core.system import Moment, Probe
from actors.drill import CrashDrill, PoisonDrill
from actors.names import asset_name, execution_name
from domain.errors import ConfigError

_FORMS = "crash=P (0 to 1), suspend=ASSET@ISO or poison=ASSET@ISO (or execution/ASSET)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drills:
    """What is made to fail in a run."""

    crash_probability: float = 0.0
    suspensions: tuple[tuple[str, int], ...] = ()
    """Addresses of actors that are given up, and before which close."""
    poisons: tuple[tuple[str, int], ...] = ()
    """Addresses of actors that crash on every message, and since when."""
    seed: int = 0

    def make_probe(self, now_ms: Callable[[], int]) -> Probe | None:
        """Return what crashes the actors; None where nothing does."""
        probes: list[Probe] = [
            PoisonDrill(address=address, from_ms=from_ms, now_ms=now_ms)
            for address, from_ms in self.poisons
        ]
        if self.crash_probability:
            probes.append(CrashDrill(self.crash_probability, self.seed))
        if not probes:
            return None

        def probe(address: str, moment: Moment) -> None:
            for one in probes:
                one(address, moment)

        return probe


def read_drills(texts: Sequence[str], assets: Sequence[str], seed: int) -> Drills:
    """Return the drills of the command line.

    Raises:
        ConfigError: one is not of the forms that exist.
    """
    crash, suspensions, poisons = 0.0, [], []
    for text in texts:
        kind, _, value = text.partition("=")
        if kind == "crash":
            crash = _probability(text, value)
        elif kind == "suspend":
            suspensions.append(_actor_at(text, value, assets))
        elif kind == "poison":
            poisons.append(_actor_at(text, value, assets))
        else:
            raise ConfigError(f"--drill {text}: unknown drill; allowed: {_FORMS}")
    return Drills(
        crash_probability=crash,
        suspensions=tuple(suspensions),
        poisons=tuple(poisons),
        seed=seed,
    )


def read_time(option: str, text: str) -> int:
    """Return an ISO time in ms; UTC where it names no zone.

    Raises:
        ConfigError: it is no ISO time.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{option} {text}: not an ISO time; write it like 2025-05-01T00:00"
        raise ConfigError(message) from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return round(time.timestamp() * 1000)


def _probability(text: str, value: str) -> float:
    try:
        probability = float(value)
    except ValueError:
        probability = -1.0
    if not 0.0 <= probability < 1.0:
        raise ConfigError(f"--drill {text}: P must be a number of at least 0 and below 1")
    return probability


def _actor_at(text: str, value: str, assets: Sequence[str]) -> tuple[str, int]:
    name, at, time = value.partition("@")
    actors = {asset: asset_name(asset) for asset in assets}
    actors |= {name: name for name in map(execution_name, assets)}
    if not at or name not in actors:
        raise ConfigError(
            f"--drill {text}: expected ASSET@ISO with one of {', '.join(actors)}; allowed: {_FORMS}"
        )
    return actors[name], read_time(f"--drill {text}:", time)
