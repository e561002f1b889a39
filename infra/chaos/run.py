"""One run: the lives of a system at an exchange, and the judgement."""

import contextlib
import signal
import sqlite3
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.chaos.plan import FAULTS, LOCKED, Life, Plan
from infra.chaos.processes import ChaosError
from infra.chaos.stage import STOP_S, Commands, Outcome, Stage


def play(plan: Plan, folder: Path, commands: Commands) -> Outcome:
    """Play a plan in a folder that is not there yet, and judge it."""
    outcome = Outcome(seed=plan.seed)
    began_s = time.monotonic()
    folder.mkdir(parents=True)
    try:
        with contextlib.ExitStack() as stack:
            stage = Stage(plan.seed, folder, commands, stack)
            outcome = stage.outcome
            for life in plan.lives:
                _live(stage, life, stack)
            stage.exchange.heal()
            stage.settle_and_stop(stage.start_system())
            stage.judge(_disturbed_s(plan))
    except (ChaosError, OSError, sqlite3.Error) as error:
        outcome.problems.append(str(error))
    outcome.seconds = time.monotonic() - began_s
    return outcome


def _live(stage: Stage, life: Life, stack: contextlib.ExitStack) -> None:
    system = stage.start_system(life.drills)
    numbers = {
        stage.exchange.add_fault({**FAULTS[name], "after_s": after_s}): name
        for name, after_s in life.faults
    }
    if life.locked_s:
        stack.callback(lock_journal(stage.journal, life.locked_s).join)
    code = system.wait(life.length_s)
    _count(stage, life, numbers, code)
    if code is None:
        system.end(signal.SIGKILL, STOP_S)
    stage.note_death()


def lock_journal(file: Path, seconds: float) -> threading.Thread:
    """Hold a journal's write lock for a while, as another program would."""

    def hold() -> None:
        with contextlib.suppress(sqlite3.Error):
            database = sqlite3.connect(file, timeout=5.0, isolation_level=None)
            database.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            database.execute("ROLLBACK")
            database.close()

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    return thread


def _count(stage: Stage, life: Life, numbers: Mapping[int, str], code: int | None) -> None:
    """Note what really happened in a life."""
    hits = stage.outcome.hits
    for fault in stage.exchange.state()["faults"]:
        if fault["id"] in numbers:
            hits[numbers[fault["id"]]] += fault["fired"] or _is_lasting(fault)
    for drill in life.drills:
        kind, _, value = drill.partition("=")
        if kind != "kill":
            hits[kind] += 1
        elif code == -signal.SIGKILL:
            hits[f"kill {value.partition('@')[0]}"] += 1
    hits[LOCKED] += bool(life.locked_s)
    hits["kill at random"] += code is None
    hits["gave up in order"] += code == 1


def _is_lasting(fault: Mapping[str, Any]) -> bool:
    """Tell whether a fault is a state, which never counts itself."""
    return fault["kind"] in {"history_lag", "forget_closed", "clock_offset", "mute"}


def _disturbed_s(plan: Plan) -> float:
    faulty_s = sum(FAULTS[name].get("for_s", 0) for life in plan.lives for name, _ in life.faults)
    hung_s = sum(_hang_s(drill) for life in plan.lives for drill in life.drills)
    return float(faulty_s + hung_s + sum(life.locked_s for life in plan.lives))


def _hang_s(drill: str) -> float:
    kind, _, value = drill.partition("=")
    return float(value.partition(":")[2]) if kind == "hang" else 0.0
