"""What happens in one run: a pure function of its seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any

from domain.errors import ConfigError
from infra.drills.kill_points import POINTS

_ORDER = "/v5/order/create"
_OFTEN = {"probability": 0.5, "for_s": 4}
FAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "answer_lost": {"kind": "answer_lost", "path": _ORDER, **_OFTEN},
        "request_lost": {"kind": "request_lost", "path": _ORDER, **_OFTEN},
        "answer_late": {"kind": "answer_late", "path": _ORDER, "seconds": 2, **_OFTEN},
        "http_502": {"kind": "http_status", "path": "/v5/", "status": 502, **_OFTEN},
        "http_502_done": {
            "kind": "http_status",
            "path": _ORDER,
            "status": 502,
            "processed": True,
            **_OFTEN,
        },
        "http_403": {"kind": "http_status", "path": "/v5/", "status": 403, "times": 2},
        "http_429": {"kind": "http_status", "path": "/v5/", "status": 429, "times": 3},
        "code_10000": {"kind": "ret_code", "code": 10000, "path": _ORDER, **_OFTEN},
        "code_10002": {"kind": "ret_code", "code": 10002, "path": "/v5/", "times": 2},
        "code_10006": {"kind": "ret_code", "code": 10006, "path": "/v5/", "times": 3},
        "code_10016": {"kind": "ret_code", "code": 10016, "processed": True, **_OFTEN},
        "unreadable_body": {"kind": "unreadable_body", "path": _ORDER, **_OFTEN},
        "refuse": {"kind": "refuse", "for_s": 2},
        "down": {"kind": "down", "for_s": 3},
        "cut": {"kind": "cut"},
        "half_open": {"kind": "half_open"},
        "mute": {"kind": "mute", "for_s": 5},
        "lose_confirm": {"kind": "lose_confirm", **_OFTEN},
        "duplicate": {"kind": "duplicate", **_OFTEN},
        "reorder": {"kind": "reorder", **_OFTEN},
        "funding": {"kind": "funding", **_OFTEN},
        "partial_fill": {"kind": "partial_fill", **_OFTEN},
        "reject": {"kind": "reject", "times": 2},
        "slow_matching": {"kind": "slow_matching", "seconds": 1, "times": 2},
        "history_lag": {"kind": "history_lag", "seconds": 600, "for_s": 4},
        "forget_closed": {"kind": "forget_closed", "for_s": 4},
        "clock_ahead": {"kind": "clock_offset", "ms": 3_000, "for_s": 4},
        "clock_behind": {"kind": "clock_offset", "ms": -3_000, "for_s": 4},
        "stop_removed": {"kind": "stop_removed"},
        "position_closed": {"kind": "position_closed"},
        "position_opened": {"kind": "position_opened", "symbol": "SOLUSDT", "qty": 5},
        "liquidation": {"kind": "liquidation", "symbol": "ETHUSDT"},
        "adl": {"kind": "adl"},
        "price_gap": {"kind": "price_gap", "symbol": "BTCUSDT", "fraction": 0.03},
    }
)
"""What the exchange does wrong. Lasting faults end by themselves, so that runs can go on."""
ACTOR_DRILLS = ("crash=0.01", "exit=0.005", "hang=0.002:6")
PROCESS_DRILLS = ("full=40:6", "readonly=40:6", "clock=3600@2", "clock=-3600@2")
LOCKED = "locked"
"""Somebody else holds the journal's write lock."""
KILLS = ("kill at random", *(f"kill {point}" for point in POINTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One start of the system, what it meets, and how it ends."""

    drills: tuple[str, ...]
    """For its command line."""
    faults: tuple[tuple[str, float], ...]
    """Names, and after how many seconds of trading each begins."""
    locked_s: float
    """How long the journal is locked from outside; 0: not at all."""
    length_s: float
    """Real seconds after which it is killed, unless it died before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole run: some lives, and a last one that is left in peace."""

    seed: int
    lives: tuple[Life, ...]

    def names(self) -> list[str]:
        """Return what the plan is meant to try."""
        found = []
        for life in self.lives:
            found += [name for name, _ in life.faults]
            found += [drill.partition("@")[0] for drill in life.drills]
            found += [LOCKED] if life.locked_s else []
        return found


def make_plan(seed: int, faults: Sequence[str] | None = None) -> Plan:
    """Return the plan of a seed.

    The first life's kill point and first fault go round by seed, so that every 14 (34) seeds in a
    row meet each of them; all else is drawn.

    Args:
        seed: any whole number.
        faults: names from FAULTS; None: all.
    """
    random = Random(f"chaos/{seed}")  # noqa: S311 (a drill, not a secret)
    names = list(FAULTS) if faults is None else list(faults)
    first = _life(random, POINTS[seed % len(POINTS)], names, seed)
    lives = [first]
    if random.random() < 0.5:  # noqa: PLR2004 (as often as not)
        lives.append(_life(random, random.choice([None, *POINTS]), names, None))
    return Plan(seed=seed, lives=tuple(lives))


def read_faults(text: str) -> list[str] | None:
    """Return the faults of a command line: `all`, `none`, or names with commas between.

    Raises:
        ConfigError: there is no such fault.
    """
    if text == "all":
        return None
    names = [] if text == "none" else text.split(",")
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        allowed = ", ".join(FAULTS)
        raise ConfigError(f"--faults: found {', '.join(unknown)}; allowed: all, none, {allowed}")
    return names


def _life(random: Random, point: str | None, names: Sequence[str], seed: int | None) -> Life:
    drills = [] if point is None else [f"kill={point}@{random.randint(1, 3)}"]
    if random.random() < 0.4:  # noqa: PLR2004
        drills.append(random.choice(ACTOR_DRILLS))
    if random.random() < 0.2:  # noqa: PLR2004
        drills.append(random.choice(PROCESS_DRILLS))
    chosen = [] if seed is None or not names else [names[seed % len(names)]]
    if names:
        chosen += random.choices(names, k=random.randint(0, 2))
    return Life(
        drills=tuple(drills),
        faults=tuple((name, random.uniform(0.0, 3.0)) for name in chosen),
        locked_s=random.choice([0.0] * 8 + [0.5, 3.0]),
        # A kill point needs time to be reached; it ends the life when it is.
        length_s=random.uniform(3.0, 8.0) if point is None else 15.0,
    )
