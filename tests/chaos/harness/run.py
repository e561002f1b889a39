"""One run: the lives of a system at an exchange, and the judgement."""

import contextlib
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from domain.errors import TradingError
from domain.operator.commands import CommandName
from infra.drills.clock_jump import JUMPED
from infra.store.location import Location, PostgresAddress
from infra.store.sqlite.driver import connect, errors
from tests.chaos.harness.journal_view import read_journal
from tests.chaos.harness.plan import (
    FAULTS,
    FULL_PANIC,
    GAVE_UP,
    HALTED,
    KILL_AT_RANDOM,
    LOCKED,
    PANIC,
    SERVER_KILLED,
    START_FAILED,
    Life,
    Plan,
)
from tests.chaos.harness.processes import ChaosError, Process
from tests.chaos.harness.scenario import STOP_S, ChaosScenario, Commands, Outcome
from tests.postgres_server import made_cluster

_MEET_S = 8.0
"""For which the last life waits for what has not happened yet, before all is healed."""
_POLL_S = 0.1
_FLAT_S = 10.0
"""In which a panic must have ended flat where nothing else disturbs it."""
_SERVER_S = 5.0
"""In which a killed server has read its log again, and is found again."""
_FAULTY_S = 4.0
"""For which one order's fault may keep its asset from its work, where it does not say."""
_IN_LOGS = {
    "crash": r"crashed in life .*: DrillError: crash drill",
    "exit": r"crashed in life .*: SystemExit: exit drill",
    "interrupt": r"crashed in life .*: KeyboardInterrupt: interrupt drill",
    "poison": r"crashed in life .*: DrillError: poison drill",
    "hang": r"crashed in life .*: worked on (?:one message|its start) for",
    "full": r"wait to be stored.*database or disk is full",
    "readonly": r"wait to be stored.*attempt to write a readonly database",
    "clock": JUMPED,
    START_FAILED: r"(?:message\": \"|[A-Z] +)the start waits for the exchange",
}
"""What the system's own log says where a drill has struck."""


def play(plan: Plan, folder: Path, commands: Commands, *, on_server: bool = False) -> Outcome:
    """Play a plan in a folder that is not there yet, and judge it.

    Args:
        plan: what is to happen.
        folder: of the run.
        commands: how to start the processes.
        on_server: the journal is in a server of PostgreSQL that the run has to itself.
    """
    outcome = Outcome(seed=plan.seed)
    began_s = time.monotonic()
    folder.mkdir(parents=True)
    try:
        with contextlib.ExitStack() as stack:
            stage = ChaosScenario(
                plan.seed,
                folder,
                commands,
                stack,
                max_restarts=plan.max_restarts,
                server=stack.enter_context(made_cluster()) if on_server else None,
            )
            outcome = stage.outcome
            faults: dict[int, str] = {}
            for life in plan.lives:
                faults |= _live(stage, life, stack)
            system = stage.start_system()
            _await_all(stage, faults)
            _count_faults(stage, faults)
            stage.settle_and_stop(system)
            _count_events(stage)
            stage.judge(_disturbed_s(plan.lives))
    except (ChaosError, OSError, TradingError) as error:
        outcome.problems.append(str(error))
    outcome.planned = frozenset(plan.names())
    outcome.seconds = time.monotonic() - began_s
    return outcome


def _live(stage: ChaosScenario, life: Life, stack: contextlib.ExitStack) -> dict[int, str]:
    """Live one life to its end; returns its faults by the exchange's numbers."""
    hits = stage.outcome.hits
    system = stage.start_system(life.drills)
    faults = {
        stage.exchange.add_fault({**FAULTS[name], "after_s": after_s}): name
        for name, after_s in life.faults
    }
    if life.locked_s:
        lock = lock_journal(stage.journal, life.locked_s, lambda: hits.update([LOCKED]))
        stack.callback(lock.join)
    killer = _kill_server(stage, life)
    code = None
    if life.panic_s is not None:
        code = system.wait(life.panic_s)
        stage.panic()
        if life.is_full_to_the_end:
            _await_flat(stage, system, _FLAT_S + _disturbed_s([life]))
    code = system.wait(life.length_s) if code is None else code
    hits[GAVE_UP] += code == 1
    hits[KILL_AT_RANDOM] += code is None
    # Nothing but its drill sends this signal to a process that still has its time.
    hits[f"kill {life.kill_point}"] += code == -signal.SIGKILL
    if code is None:
        system.end(signal.SIGKILL, STOP_S)
    if killer is not None:
        killer.join()
    stage.note_death()
    return faults


def _await_flat(stage: ChaosScenario, system: Process, limit_s: float) -> None:
    """Hold a panic to its word while nothing can be stored: it ends flat at the exchange."""
    deadline_s = time.monotonic() + limit_s
    while system.code is None:
        if stage.is_flat_in_panic():
            commands = [command.command for _, command in read_journal(stage.journal).commands]
            stage.outcome.hits[FULL_PANIC] += CommandName.PANIC not in commands
            return
        if time.monotonic() > deadline_s:
            problem = f"a panic on a full disk has not ended flat within {limit_s:.0f} s"
            stage.outcome.problems.append(problem)
            return
        time.sleep(_POLL_S)


def _kill_server(stage: ChaosScenario, life: Life) -> threading.Thread | None:
    """Kill the database's server in the middle of trade, and start it again."""
    server, after_s = stage.server, life.server_killed_s
    if server is None or after_s is None:
        return None

    def kill() -> None:
        time.sleep(after_s)
        server.kill()
        time.sleep(life.server_down_s)
        server.start()
        stage.outcome.hits.update([SERVER_KILLED])

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def lock_journal(
    journal: Location, seconds: float, on_locked: Callable[[], object]
) -> threading.Thread:
    """Keep a journal from being written for a while, as another program would."""

    def hold_file(file: Path) -> None:
        with contextlib.suppress(*errors()):
            database = connect(file)
            database.execute("PRAGMA busy_timeout = 5000")
            database.execute("BEGIN IMMEDIATE")
            on_locked()
            time.sleep(seconds)
            database.execute("ROLLBACK")
            database.close()

    def hold_schema(address: PostgresAddress) -> None:
        import psycopg  # noqa: PLC0415 (optional)

        with contextlib.suppress(psycopg.Error), psycopg.connect(address.url) as server:
            server.execute(f"LOCK TABLE {address.schema}.store_state")
            on_locked()
            time.sleep(seconds)

    def hold() -> None:
        hold_file(journal) if isinstance(journal, Path) else hold_schema(journal)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    return thread


def _await_all(stage: ChaosScenario, faults: Iterable[int]) -> None:
    """Wait until every fault has met what it is about, but not for ever."""
    deadline_s = time.monotonic() + _MEET_S
    while time.monotonic() < deadline_s:
        waiting = [fault for fault in _faults(stage) if not fault["is_over"]]
        if not any(fault["id"] in faults and not fault["fired"] for fault in waiting):
            return
        time.sleep(_POLL_S)


def _count_faults(stage: ChaosScenario, faults: dict[int, str]) -> None:
    """Note which faults really happened, by the word of the exchange."""
    hits = stage.outcome.hits
    for fault in _faults(stage):
        if fault["id"] in faults:
            hits[faults[fault["id"]]] += fault["fired"]


def _count_events(stage: ChaosScenario) -> None:
    """Note what else really happened, by the system's own log and journal."""
    hits = stage.outcome.hits
    hits.update(struck(stage.log_lines()))
    journal = read_journal(stage.journal)
    hits[PANIC] += sum(command.command == CommandName.PANIC for _, command in journal.commands)
    hits[HALTED] += any(state.is_halted for _, state in journal.samples)


def struck(lines: Iterable[str]) -> Counter[str]:
    """Return how often each drill has struck, of the lines of the system's log."""
    found = [name for line in lines for name, words in _IN_LOGS.items() if re.search(words, line)]
    return Counter(found)


def _faults(stage: ChaosScenario) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.exchange.state()["faults"]
    return found


def _disturbed_s(lives: Sequence[Life]) -> float:
    faulty_s = sum(
        FAULTS[name].get("for_s", _FAULTY_S) for life in lives for name, _ in life.faults
    )
    drilled_s = sum(_drilled_s(drill, life) for life in lives for drill in life.drills)
    away_s = sum(life.server_down_s + _SERVER_S for life in lives if life.server_killed_s)
    return float(faulty_s + drilled_s + away_s + sum(life.locked_s for life in lives))


def _drilled_s(drill: str, life: Life) -> float:
    kind, _, value = drill.partition("=")
    if kind == "poison":
        return life.length_s  # A poisoned execution does nothing to its life's end.
    return float(value.partition(":")[2]) if kind == "hang" else 0.0
