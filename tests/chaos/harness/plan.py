"""What happens in one run: a pure function of its seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType
from typing import Any

from domain.errors import ConfigError
from infra.drills.kill_points import POINTS

_ORDER = "/v5/order/create"
_TWICE = {"path": _ORDER, "times": 2}
_OFTEN = {"probability": 0.5, "for_s": 4}
_ONCE_MET = {"probability": 1, "times": 1}
"""Tried at every close until there is a position, a stream, or whatever it is about."""
FAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "answer_lost": {"kind": "answer_lost", **_TWICE},
        "request_lost": {"kind": "request_lost", **_TWICE},
        "answer_late": {"kind": "answer_late", "seconds": 2, **_TWICE},
        "http_502": {"kind": "http_status", "path": "/v5/", "status": 502, **_OFTEN},
        "http_502_done": {"kind": "http_status", "status": 502, "processed": True, **_TWICE},
        # Without a time named, a client rightly keeps silent for ten minutes, and the run ends.
        "http_403": {
            "kind": "http_status",
            "path": "/v5/",
            "status": 403,
            "times": 2,
            "retry_after_s": 2,
        },
        "http_429": {"kind": "http_status", "path": "/v5/", "status": 429, "times": 3},
        "code_10000": {"kind": "ret_code", "code": 10000, **_TWICE},
        "code_10002": {"kind": "ret_code", "code": 10002, "path": "/v5/", "times": 2},
        "code_10006": {"kind": "ret_code", "code": 10006, "path": "/v5/", "times": 3},
        "code_10016": {"kind": "ret_code", "code": 10016, "processed": True, **_TWICE},
        "unreadable_body": {"kind": "unreadable_body", **_TWICE},
        "refuse": {"kind": "refuse", "for_s": 2},
        "down": {"kind": "down", "for_s": 3},
        "cut": {"kind": "cut", **_ONCE_MET},
        "half_open": {"kind": "half_open", **_ONCE_MET},
        "mute": {"kind": "mute", "for_s": 5},
        "lose_confirm": {"kind": "lose_confirm", "times": 2},
        "duplicate": {"kind": "duplicate", **_OFTEN},
        "reorder": {"kind": "reorder", **_OFTEN},
        "unreadable_message": {"kind": "unreadable_message", "times": 2},
        "wrong_types": {"kind": "wrong_types", **_OFTEN},
        "unknown_topic": {"kind": "unknown_topic", **_OFTEN},
        "funding": {"kind": "funding", **_ONCE_MET},
        "partial_fill": {"kind": "partial_fill", "times": 2},
        "reject": {"kind": "reject", "times": 2},
        "slow_matching": {"kind": "slow_matching", "seconds": 1, "times": 2},
        "history_lag": {"kind": "history_lag", "seconds": 600, "times": 4},
        "forget_closed": {"kind": "forget_closed", "times": 4},
        "clock_ahead": {"kind": "clock_offset", "ms": 3_000, "for_s": 4},
        "clock_behind": {"kind": "clock_offset", "ms": -3_000, "for_s": 4},
        "stop_removed": {"kind": "stop_removed", **_ONCE_MET},
        "position_closed": {"kind": "position_closed", **_ONCE_MET},
        "position_opened": {"kind": "position_opened", "symbol": "SOLUSDT", "qty": 5},
        "liquidation": {"kind": "liquidation", **_ONCE_MET},
        "adl": {"kind": "adl", **_ONCE_MET},
        "price_gap": {"kind": "price_gap", "symbol": "BTCUSDT", "fraction": 0.03},
        "ruinous_gap": {"kind": "price_gap", "fraction": 0.4, "probability": 0.3, "times": 4},
    }
)
"""What the exchange does wrong. What is about an order or a position waits for one, also from one
life to the next; what lasts ends by itself, so that runs can go on."""
ACTOR_DRILLS = ("crash=0.02", "exit=0.02", "interrupt=0.02", "hang=0.01:6")
_POISONED = ("BTC", "ETH", "SOL", "execution/BTC", "execution/ETH", "execution/SOL")
FULL_FOR_A_WHILE, FULL_TO_THE_END = "full=60:150", "full=60:1000000"
"""Begins once every actor has taken its lease: a run needs a start first."""
FULL_SHARE = 0.15
"""Of the runs, in which a life of its own meets a full disk and a panic."""
_OF_CLOSES = ("close_sent.before", "close_sent.after", "answer_received.after", "fill_seen.before")
PROCESS_DRILLS = (FULL_FOR_A_WHILE, "readonly=60:60", "clock=3600@1", "clock=-3600@1")
POISON = "poison"
_FEW, _MANY = 3, 1000
"""Restarts: so few that the poisoned actor is given up, so many that none is."""
LOCKED = "locked"
"""Somebody else holds the journal's write lock."""
PANIC = "panic"
"""The operator wants all closed and nothing opened."""
FULL_PANIC = "panic without room"
"""So, while the journal's disk is full: the exchange shows all to be flat before it is stored."""
SERVER_KILLED = "server killed"
"""The database's server was killed, all its processes at once, and started again."""
SERVER_SHARE = 0.35
"""Of the runs on PostgreSQL, in which that happens."""
HALTED = "halted"
"""The portfolio has lost so much that nothing is opened any more."""
GAVE_UP = "gave up in order"
"""The process ended by itself, since an actor that everything depends on was given up."""
START_FAILED = "start failed"
"""The exchange gave no usable answer at the start, which waited or ended and was started again."""
KILL_AT_RANDOM = "kill at random"
KILLS = (KILL_AT_RANDOM, *(f"kill {point}" for point in POINTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One start of the system, what it meets, and how it ends."""

    drills: tuple[str, ...]
    """For its command line."""
    faults: tuple[tuple[str, float], ...]
    """Names, and after how many seconds of trading each begins."""
    locked_s: float
    """How long the journal is locked from outside; 0: not at all."""
    panic_s: float | None
    """After how many seconds the operator panics; None: not at all."""
    length_s: float
    """Real seconds after which it is killed, unless it died before."""
    server_killed_s: float | None = None
    """After how many seconds the database's server is killed; None: not at all."""
    server_down_s: float = 0.0
    """For how long it then stays away."""

    @property
    def is_full_to_the_end(self) -> bool:
        """Tell whether the journal's disk is full from some moment on."""
        return FULL_TO_THE_END in self.drills

    @property
    def kill_point(self) -> str | None:
        """Where it is killed; None: at random."""
        points = (drill.removeprefix("kill=") for drill in self.drills if _is_kill(drill))
        return next((point.partition("@")[0] for point in points), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole run: some lives, and a last one that is left in peace."""

    seed: int
    lives: tuple[Life, ...]
    max_restarts: int
    """Of an actor, before it is given up."""

    def names(self) -> list[str]:
        """Return what the plan is meant to try, by the names under which it is counted."""
        found = []
        for life in self.lives:
            found += [name for name, _ in life.faults]
            found += [_name_of(drill) for drill in life.drills]
            found += [LOCKED] if life.locked_s else []
            found += [] if life.server_killed_s is None else [SERVER_KILLED]
            found += [PANIC] if life.panic_s is not None else []
            found += [FULL_PANIC] if life.is_full_to_the_end else []
            found += [] if life.kill_point else [KILL_AT_RANDOM]
        return found


def make_plan(seed: int, faults: Sequence[str] | None = None) -> Plan:
    """Return the plan of a seed.

    The first life's kill point and first fault go round by seed, so that so many seeds in a row as
    there are points (faults) plan each of them; all else is drawn.

    Args:
        seed: any whole number.
        faults: names from FAULTS; None: all.
    """
    random = Random(f"chaos/{seed}")
    names = list(FAULTS) if faults is None else list(faults)
    first = _life(random, POINTS[seed % len(POINTS)], names, seed)
    lives = [first]
    if random.random() < 0.5:
        lives.append(_life(random, random.choice([None, *POINTS]), names, None))
    of_full_disk = Random(f"chaos/{seed}/full")  # apart, so that all else is drawn as before
    if of_full_disk.random() < FULL_SHARE:
        lives.append(_full_life(of_full_disk, names))
    is_strict = any(_name_of(drill) == POISON for life in lives for drill in life.drills)
    return Plan(
        seed=seed,
        lives=tuple(lives),
        max_restarts=random.choice([_FEW, _MANY]) if is_strict else _MANY,
    )


def on_postgres(plan: Plan) -> Plan:
    """Return what happens where the journal is in PostgreSQL.

    A file's refusals are left out; instead the server is killed in some runs.
    """
    random = Random(f"chaos/{plan.seed}/server")
    lives = [replace(life, drills=_but_for_files(life.drills)) for life in plan.lives]
    if random.random() < SERVER_SHARE:
        lives[0] = replace(
            lives[0],
            server_killed_s=random.uniform(0.5, 5.0),
            server_down_s=random.choice([0.0, 0.5, 3.0]),
        )
    return replace(plan, lives=tuple(lives))


def _but_for_files(drills: Sequence[str]) -> tuple[str, ...]:
    return tuple(drill for drill in drills if _name_of(drill) not in ("full", "readonly"))


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
    # A stop is seldom moved; all else happens often enough for drills to strike before.
    nth = 1 if point is not None and point.startswith("stop_moved") else random.randint(1, 6)
    drills = [] if point is None else [f"kill={point}@{nth}"]
    if random.random() < 0.4:
        drills.append(_actor_drill(random))
    if random.random() < 0.2:
        drills.append(random.choice(PROCESS_DRILLS))
    chosen = [] if seed is None or not names else [names[seed % len(names)]]
    if names:
        chosen += random.choices(names, k=random.randint(0, 2))
    if point is not None and point.startswith("stop_moved") and "stop_removed" in names:
        chosen.append("stop_removed")  # else no stop is ever moved
    return Life(
        drills=tuple(drills),
        faults=tuple((name, random.uniform(0.0, 2.0)) for name in chosen),
        locked_s=random.choice([0.0] * 8 + [0.5, 3.0]),
        panic_s=random.uniform(2.0, 6.0) if random.random() < 0.05 else None,
        # A kill point needs time to be reached; it ends the life when it is.
        length_s=random.uniform(3.0, 8.0) if point is None else 15.0,
    )


def _full_life(random: Random, names: Sequence[str]) -> Life:
    """Let the operator panic while the disk is full, and perhaps a kill strike then."""
    drills = [FULL_TO_THE_END]
    if random.random() < 0.5:
        drills.append(f"kill={random.choice(_OF_CLOSES)}@{random.randint(3, 8)}")
    if random.random() < 0.3:
        drills.append(random.choice(ACTOR_DRILLS))
    chosen = random.choices(names, k=random.randint(0, 1)) if names else []
    if "position_opened" in names:
        chosen.append("position_opened")  # else there is often nothing to close
    return Life(
        drills=tuple(drills),
        # A position that is opened by hand after the panic is left to whoever opened it.
        faults=tuple(
            (name, random.uniform(0.0, 1.0 if name == "position_opened" else 2.0))
            for name in chosen
        ),
        locked_s=0.0,
        panic_s=random.uniform(1.5, 3.5),
        length_s=12.0,
    )


def _actor_drill(random: Random) -> str:
    poison = f"{POISON}={random.choice(_POISONED)}@{random.randint(0, 2)}s"
    return random.choice([*ACTOR_DRILLS, poison])


def _is_kill(drill: str) -> bool:
    return drill.startswith("kill=")


def _name_of(drill: str) -> str:
    kind, _, value = drill.partition("=")
    return f"kill {value.partition('@')[0]}" if _is_kill(drill) else kind
