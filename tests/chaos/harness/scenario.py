"""Where a run takes place: an exchange that lives through it, and a system at it."""

import contextlib
import json
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from domain.rules import TradingRules
from infra.store.location import Location, PostgresAddress
from infra.store.reserve import count_waiting
from tests.chaos.harness.invariants import differences, violations
from tests.chaos.harness.journal_view import execution_pen, read_epochs, read_journal
from tests.chaos.harness.processes import ChaosError, ExchangeProcess, Process, wait_until
from tests.postgres_server import Cluster

SPEED = 600
STOP_S = 20.0
"""In which an orderly stop, and any kill, must have ended."""
_SETTLE_S = 60.0
_ALIVE_S = 60.0
_UNAVAILABLE = 1
"""Exit code of a system that did not get an answer from the exchange."""
_SLACK_S = 4.0
"""What a reconcile period, a slow look-up and a busy machine may add, real time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """How the two processes are started."""

    exchange: Sequence[str]
    system: Sequence[str]
    settings: Mapping[str, Any]
    """What differs from settings.yaml, as plain data."""
    rules: TradingRules
    """What those settings say."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run showed."""

    seed: int
    problems: list[str] = field(default_factory=list)
    planned: frozenset[str] = frozenset()
    """What was to happen."""
    hits: Counter[str] = field(default_factory=Counter)
    """How often each fault, drill or kill really happened."""
    deaths: int = 0
    trades: int = 0
    orders: int = 0
    longest_away_s: float = 0.0
    seconds: float = 0.0


class ChaosScenario:
    """One exchange and, one after the other, the lives of one system."""

    def __init__(
        self,
        seed: int,
        folder: Path,
        commands: Commands,
        stack: contextlib.ExitStack,
        max_restarts: int | None = None,
        server: Cluster | None = None,
    ) -> None:
        """Start the exchange.

        Args:
            seed: of the market and of all drills.
            folder: an empty one, for everything that is written.
            commands: how to start the processes.
            stack: closes them.
            max_restarts: of an actor; None: as the commands' settings say.
            server: holds the journal; None: a file does.
        """
        self.outcome = Outcome(seed=seed)
        self.server = server
        self.journal: Location = folder / "run" / "journal.sqlite"
        self._folder, self._commands, self._stack = folder, commands, stack
        self._settings = folder / "settings.yaml"
        settings = dict(commands.settings)
        if max_restarts is not None:
            supervision = settings.get("supervision", {})
            settings["supervision"] = {**supervision, "max_restarts": max_restarts}
        if server is not None:
            url = server.url()
            settings["database"] = {**settings.get("database", {}), "url": url}
            self.journal = PostgresAddress(url, "trading_sim")
        self._settings.write_text(json.dumps(settings))
        self.run_dir.mkdir()
        self.exchange = self._start_exchange()
        address = {"simulation": {"speed": SPEED, "address": self.exchange.host}}
        self._settings.write_text(json.dumps({**settings, **address}))
        self._died_s: float | None = None

    @property
    def run_dir(self) -> Path:
        """The system's own."""
        return self._folder / "run"

    def log_lines(self) -> Iterator[str]:
        """Yield what all lives of the system have logged; an encrypted run has no files of it."""
        files = sorted((self.run_dir / "logs").glob("*")) or [self._folder / "system.txt"]
        for file in files:
            yield from file.read_text(errors="replace").splitlines()

    def start_system(self, drills: Sequence[str] = ()) -> Process:
        """Start the next life, and wait until it has taken over.

        As a service manager does, it tries again where the exchange was not there at the start.
        """
        command = [
            *self._commands.system,
            *("--run-dir", str(self.run_dir), "--settings", str(self._settings)),
            *("--seed", str(self.outcome.seed)),
            *(word for drill in drills for word in ("--drill", drill)),
        ]
        before = self._lives_of_executions()
        system = self._start_until_taken_over(command, before)
        if self._died_s is not None:
            away_s = time.monotonic() - self._died_s
            self.outcome.longest_away_s = max(self.outcome.longest_away_s, away_s)
        return system

    @property
    def _panic_file(self) -> Path:
        return self.run_dir / "PANIC"

    def panic(self) -> None:
        """Ask for a panic as an operator can whom nobody hears."""
        self._panic_file.write_text("chaos")

    def is_flat_in_panic(self) -> bool:
        """Tell whether the panic was taken up, and the exchange holds no position."""
        held = [row for row in self.exchange.state()["positions"] if Decimal(row["size"])]
        return not held and not self._panic_file.exists()

    def note_death(self) -> None:
        """Begin to count the time without a system."""
        self._died_s = time.monotonic()
        self.outcome.deaths += 1

    def settle_and_stop(self, system: Process) -> None:
        """Wait, without faults, until books and exchange agree; then stop in order."""
        self.exchange.heal()
        self._settle()
        code = system.end(signal.SIGTERM, STOP_S)
        if code != 0:
            self.outcome.problems.append(f"an orderly stop ended with exit code {code}")

    def judge(self, disturbed_s: float) -> None:
        """Note every broken promise.

        Args:
            disturbed_s: for how long faults kept the system from its work.
        """
        journal, records = read_journal(self.journal), self.exchange.records()
        limit_s = self.outcome.longest_away_s + disturbed_s + _SLACK_S
        rules = self._commands.rules
        unprotected_ms = rules.risk.unprotected_position_ms + limit_s * 1000 * SPEED
        self.outcome.problems += violations(
            records, journal, rules, unprotected_limit_ms=unprotected_ms
        )
        self.outcome.trades = len(journal.trades)
        self.outcome.orders = len(records["orders"])

    def _start_until_taken_over(self, command: Sequence[str], before: Mapping[str, int]) -> Process:
        deadline_s = time.monotonic() + _ALIVE_S
        system = self._start_once(command, before)
        while system.code == _UNAVAILABLE and not self._has_taken_over(before):
            if time.monotonic() > deadline_s:
                raise ChaosError("the exchange never answered at the start")
            system = self._start_once(command, before)
        return system

    def _start_once(self, command: Sequence[str], before: Mapping[str, int]) -> Process:
        system = Process(command, self._folder / "system.txt")
        self._stack.callback(system.close)
        wait_until(
            lambda: system.code is not None or self._has_taken_over(before),
            _ALIVE_S,
            "the system starts",
        )
        return system

    def _start_exchange(self) -> ExchangeProcess:
        command = [
            *self._commands.exchange,
            *("--port", "0", "--speed", str(SPEED), "--history", "300"),
            *("--seed", str(self.outcome.seed), "--settings", str(self._settings)),
        ]
        exchange = ExchangeProcess(command, self._folder)
        self._stack.callback(exchange.close)
        return exchange

    def _has_taken_over(self, before: Mapping[str, int]) -> bool:
        """Tell whether every execution of the new process has taken its lease."""
        now = self._lives_of_executions()
        wanted = [execution_pen(asset.asset) for asset in self._commands.rules.assets]
        return all(now.get(address, 0) > before.get(address, 0) for address in wanted)

    def _lives_of_executions(self) -> dict[str, int]:
        return read_epochs(self.journal)

    def _settle(self) -> None:
        found: list[str] = ["nothing was compared yet"]

        def is_settled() -> bool:
            found[:] = differences(
                self.exchange.state(),
                self.exchange.records(),
                read_journal(self.journal),
                self._commands.rules,
            )
            waiting = count_waiting(self.run_dir / "journal.reserve")
            if waiting:
                found.append(f"{waiting} records wait in the reserve")
            if self._panic_file.exists():
                found.append("the panic that was asked for is not stored yet")
            return not found

        try:
            wait_until(is_settled, _SETTLE_S, "the books settle")
        except ChaosError as error:
            self.outcome.problems += [str(error), *found]
