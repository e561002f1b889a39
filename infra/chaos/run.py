"""One run: an exchange, the lives of a system at it, and the judgement."""

import contextlib
import json
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.rules import TradingRules
from infra.chaos.invariants import differences, violations
from infra.chaos.journal_view import execution_pen, read_journal, read_pens
from infra.chaos.plan import FAULTS, LOCKED, Life, Plan
from infra.chaos.processes import ChaosError, ExchangeProcess, Process, wait_until

SPEED = 600
_KEY, _SECRET = "chaos-key", "chaos-secret"
_SETTLE_S = 60.0
_ALIVE_S = 60.0
_STOP_S = 20.0
_SLACK_S = 4.0
"""What a reconcile period, a slow look-up and a busy machine may add, real time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """How the two processes are started."""

    exchange: Sequence[str]
    system: Sequence[str]
    environ: Mapping[str, str]
    settings: Mapping[str, Any]
    """What differs from settings.yaml, as plain data."""
    rules: TradingRules
    """What those settings say."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run showed."""

    seed: int
    problems: list[str] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    """How often each fault or kill really happened."""
    deaths: int = 0
    trades: int = 0
    orders: int = 0
    longest_away_s: float = 0.0
    seconds: float = 0.0


def play(plan: Plan, folder: Path, commands: Commands) -> Outcome:
    """Play a plan in an empty folder and judge it."""
    outcome = Outcome(seed=plan.seed)
    began_s = time.monotonic()
    folder.mkdir(parents=True)
    try:
        with contextlib.ExitStack() as stack:
            _Run(plan, folder, commands, outcome, stack).play()
    except (ChaosError, OSError, sqlite3.Error) as error:
        outcome.problems.append(str(error))
    outcome.seconds = time.monotonic() - began_s
    return outcome


class _Run:
    """The state of a run."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        commands: Commands,
        outcome: Outcome,
        stack: contextlib.ExitStack,
    ) -> None:
        self._plan, self._folder, self._commands = plan, folder, commands
        self._outcome, self._stack = outcome, stack
        self._settings = folder / "settings.yaml"
        self._settings.write_text(json.dumps(commands.settings))
        self._run_dir = folder / "run"
        self._run_dir.mkdir()
        (self._run_dir / "sim-keys.json").write_text(json.dumps([_KEY, _SECRET]))
        self._journal = self._run_dir / "journal.sqlite"
        self._died_s: float | None = None

    def play(self) -> None:
        self._exchange = self._start_exchange()
        address = {"simulation": {"speed": SPEED, "address": self._exchange.host}}
        self._settings.write_text(json.dumps({**self._commands.settings, **address}))
        for life in self._plan.lives:
            self._live(life)
        self._exchange.heal()
        system = self._start_system(())
        self._settle()
        code = system.end(signal.SIGTERM, _STOP_S)
        if code != 0:
            self._outcome.problems.append(f"an orderly stop ended with exit code {code}")
        self._judge()

    def _start_exchange(self) -> ExchangeProcess:
        command = [
            *self._commands.exchange,
            *("--port", "0", "--speed", str(SPEED), "--history", "300"),
            *("--seed", str(self._plan.seed), "--settings", str(self._settings)),
            *("--api-key", _KEY, "--api-secret", _SECRET),
        ]
        exchange = ExchangeProcess(command, self._folder, self._commands.environ)
        self._stack.callback(exchange.close)
        return exchange

    def _start_system(self, drills: Sequence[str]) -> Process:
        command = [
            *self._commands.system,
            *("--run-dir", str(self._run_dir), "--settings", str(self._settings)),
            *("--seed", str(self._plan.seed)),
            *(word for drill in drills for word in ("--drill", drill)),
        ]
        before = self._lives_of_executions()
        system = Process(command, self._folder / "system.txt", self._commands.environ)
        self._stack.callback(system.close)
        wait_until(
            lambda: system.code is not None or self._has_taken_over(before),
            _ALIVE_S,
            "the system starts",
        )
        if self._died_s is not None:
            away_s = time.monotonic() - self._died_s
            self._outcome.longest_away_s = max(self._outcome.longest_away_s, away_s)
        return system

    def _has_taken_over(self, before: Mapping[str, int]) -> bool:
        """Tell whether every execution of the new process has taken its pen."""
        now = self._lives_of_executions()
        wanted = [execution_pen(asset.asset) for asset in self._commands.rules.assets]
        return all(now.get(pen, 0) > before.get(pen, 0) for pen in wanted)

    def _lives_of_executions(self) -> dict[str, int]:
        return read_pens(self._journal) if self._journal.exists() else {}

    def _live(self, life: Life) -> None:
        system = self._start_system(life.drills)
        numbers = {
            self._exchange.add_fault({**FAULTS[name], "after_s": after_s}): name
            for name, after_s in life.faults
        }
        if life.locked_s:
            self._lock_journal(life.locked_s)
        code = system.wait(life.length_s)
        self._count(life, numbers, code)
        if code is None:
            system.end(signal.SIGKILL, _STOP_S)
        self._died_s = time.monotonic()
        self._outcome.deaths += 1

    def _lock_journal(self, seconds: float) -> None:
        def hold() -> None:
            with contextlib.suppress(sqlite3.Error):
                database = sqlite3.connect(self._journal, timeout=5.0, isolation_level=None)
                database.execute("BEGIN IMMEDIATE")
                time.sleep(seconds)
                database.execute("ROLLBACK")
                database.close()

        thread = threading.Thread(target=hold, daemon=True)
        thread.start()
        self._stack.callback(thread.join)

    def _count(self, life: Life, numbers: Mapping[int, str], code: int | None) -> None:
        """Note what really happened in a life."""
        hits = self._outcome.hits
        for fault in self._exchange.state()["faults"]:
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

    def _settle(self) -> None:
        found: list[str] = ["nothing was compared yet"]

        def is_settled() -> bool:
            found[:] = differences(
                self._exchange.state(),
                self._exchange.records(),
                read_journal(self._journal),
                self._commands.rules,
            )
            return not found

        try:
            wait_until(is_settled, _SETTLE_S, "the books settle")
        except ChaosError as error:
            self._outcome.problems += [str(error), *found]

    def _judge(self) -> None:
        journal, records = read_journal(self._journal), self._exchange.records()
        faulty_s = sum(
            FAULTS[n].get("for_s", 0) for life in self._plan.lives for n, _ in life.faults
        )
        hung_s = sum(_hang_s(drill) for life in self._plan.lives for drill in life.drills)
        locked_s = sum(life.locked_s for life in self._plan.lives)
        limit_s = self._outcome.longest_away_s + faulty_s + hung_s + locked_s + _SLACK_S
        naked_ms = self._commands.rules.risk.naked_position_ms
        self._outcome.problems += violations(
            records,
            journal,
            self._commands.rules,
            naked_limit_ms=naked_ms + limit_s * 1000 * SPEED,
        )
        self._outcome.trades = len(journal.trades)
        self._outcome.orders = len(records["orders"])


def _is_lasting(fault: Mapping[str, Any]) -> bool:
    """Tell whether a fault is a state, which never counts itself."""
    return fault["kind"] in {"history_lag", "forget_closed", "clock_offset", "mute"}


def _hang_s(drill: str) -> float:
    kind, _, value = drill.partition("=")
    return float(value.partition(":")[2]) if kind == "hang" else 0.0
