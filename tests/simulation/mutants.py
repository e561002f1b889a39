"""Deliberate defects, each a small change of one file, which the simulation must find.


    python -m tests.simulation.mutants [--seeds N] [--first SEED] [NAME ...]

plays worlds by a copy of the program with one defect at a time, and prints the first seed of each
that breaks a promise, and which.
"""

# ruff: noqa: E501, T201 (texts as they stand in the files, and a command that prints)

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = ("actors", "bin", "domain", "infra", "tests")
_FILES = ("settings.yaml", "pyproject.toml")
SEEDS = 2_000
_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One defect."""

    name: str
    file: str
    old: str
    """Stands there exactly once."""
    new: str


_ORDERS, _EXITS = "actors/execution/orders.py", "actors/execution/exits.py"
_ENTRIES, _AGENDA = "actors/execution/entries.py", "actors/execution/agenda.py"
_STOPS, _TRAIL = "actors/execution/stops/stops.py", "actors/execution/stops/trail.py"
_RECONCILER = "actors/execution/reconciliation/reconciler.py"
_BACKLOG, _WRITER = "actors/backlog.py", "infra/store/writer.py"
_EXCHANGE = "infra/venues/bybit/exchange.py"
_SUPERVISOR, _ACTOR, _MAILBOX = (
    "actors/core/supervisor.py",
    "actors/core/actor.py",
    "actors/core/mailbox.py",
)

MUTANTS = (
    Mutant(
        name="intent after send",
        file=_ENTRIES,
        old="""            self._orders.intend(intent)
        except (StaleApprovalError, JournalError) as error:
            self._orders.void(intent, str(error))
            return
        self._orders.send(intent)""",
        new="""            self._context.books.orders[approval.client_order_id] = Order(intent=intent)
            self._orders.send(intent)
            self._orders.intend(intent)
        except (StaleApprovalError, JournalError) as error:
            self._orders.void(intent, str(error))
            return""",
    ),
    Mutant(
        name="close sent before its intent is stored",
        file=_EXITS,
        old="""        self._orders.intend(intent)
        self.go_on_after(self._orders.send(intent))""",
        new="""        self._context.books.orders[intent.request.client_order_id] = Order(intent=intent)
        ended = self._orders.send(intent)
        self._orders.intend(intent)
        self.go_on_after(ended)""",
    ),
    Mutant(
        name="unknown outcome taken as a refusal",
        file=_ORDERS,
        old="update = self._news(order_id, OrderStatus.UNKNOWN, str(error))\n            self._context",
        new="update = self._news(order_id, OrderStatus.REJECTED, str(error))\n            self._context",
    ),
    Mutant(
        name="absence taken as proven by one look",
        file=_EXCHANGE,
        old="if proofs < _PROOFS:",
        new="if proofs < 0:",
    ),
    Mutant(
        name="absence proven before the request is dead",
        file=_EXCHANGE,
        old="proofs += asked_ms > proves_from_ms",
        new="proofs += 1",
    ),
    Mutant(
        name="entry sent again however old",
        file=_ENTRIES,
        old="return self._context.backlog.shortage() or self._why_too_old(intent.decided_ms)",
        new="return None",
    ),
    Mutant(
        name="epoch ignored at a repeated send",
        file=_ENTRIES,
        old="if newest > approved:",
        new="if newest < approved:",
    ),
    Mutant(
        name="epoch ignored by the journal",
        file=_WRITER,
        old="                self._check_epoch(fact)",
        new="                pass",
    ),
    Mutant(
        name="entry opened beside a position",
        file=_ENTRIES,
        old="if self._context.books.position is not None:",
        new="if False:",
    ),
    Mutant(
        name="entry opened while in doubt",
        file=_ENTRIES,
        old="if not self._context.agenda.is_certain:",
        new="if False:",
    ),
    Mutant(
        name="fill booked twice",
        file="domain/trading/books.py",
        old="return exec_id in self._booked",
        new="return False",
    ),
    Mutant(
        name="fill not booked where its order is not known",
        file=_RECONCILER,
        old="is_lost = self._context.books.lacks_order(execution)\n",
        new="is_lost = False\n        if execution.client_order_id is None:\n            return\n",
    ),
    Mutant(
        name="executions that were missed are not asked for",
        file=_RECONCILER,
        old="        self._book_unseen()\n        under_way",
        new="        under_way",
    ),
    Mutant(
        name="orders under way are not looked up",
        file=_RECONCILER,
        old="self._context.agenda.ask_first(*(LookUp(order.client_order_id) for order in under_way))",
        new="del under_way",
    ),
    Mutant(
        name="missing stop not set again",
        file=_STOPS,
        old="self._context.agenda.ask_first(Ask.MOVE_STOP if is_raise else SetStops(wanted))",
        new="pass",
    ),
    Mutant(
        name="stop sent without its level",
        file="domain/trading/intents.py",
        old="stop_loss=levels.stop_loss,",
        new="stop_loss=None,",
    ),
    Mutant(
        name="ratchet loosened",
        file="domain/trading/trailing.py",
        old="if is_tighter(level, least, state.side) else state",
        new="",
    ),
    Mutant(
        name="trailing stop forgotten by a restart",
        file=_TRAIL,
        old="if moved is None or moved.opened_ms != position.opened_ms:",
        new="if True:",
    ),
    Mutant(
        name="stop move not stored",
        file=_TRAIL,
        old="self._context.backlog.store(self._moved, outlives=self._is_first(self._moved))",
        new="pass",
    ),
    Mutant(
        name="stop loosened to what was wanted earlier",
        file=_STOPS,
        old="self._set(wanted if position is None else self._levels(position, self._stop_loss))",
        new="del position\n        self._set(wanted)",
    ),
    Mutant(
        name="close given up after one attempt",
        file=_EXITS,
        old="""        command, self._unfinished = self._unfinished, None
        if command is not None:""",
        new="""        command, self._unfinished = self._unfinished, None
        if False and command is not None:""",
    ),
    Mutant(
        name="unfinished close forgotten by a restart",
        file=_EXITS,
        old="self._unfinished = None if unfinished is None else _command_of(unfinished)",
        new="self._unfinished = None",
    ),
    Mutant(
        name="panic does not wait for flat",
        file="actors/execution/reconciliation/flattening.py",
        old="if is_closed and not self._context.books.under_way() and self._resting == 0:",
        new="if True:",
    ),
    Mutant(
        name="facts that were refused are dropped",
        file=_BACKLOG,
        old="        self._waiting.append(batch)\n        self._try_later()",
        new="        self._try_later()",
    ),
    Mutant(
        name="facts that wait are stored out of order",
        file=_BACKLOG,
        old="if not self._waiting and self._try(batch):",
        new="if self._try(batch):",
    ),
    Mutant(
        name="reservation lost by a restart",
        file="actors/portfolio/reservations.py",
        old="self._context.books.reserved[asset] = approval",
        new="pass",
    ),
    Mutant(
        name="rejected entry keeps its reservation",
        file="actors/portfolio/reservations.py",
        old="            self._context.books.release(approval)",
        new="            pass",
    ),
    Mutant(
        name="close decided twice after a restart",
        file="actors/portfolio/decisions.py",
        old="self.decided_ms = max(decided_ms, context.books.protection.close_ms)",
        new="self.decided_ms = 0",
    ),
    Mutant(
        name="approval told before it is stored",
        file="actors/portfolio/protections.py",
        old="                self.store_now(*samples, decision)",
        new="                pass",
    ),
    Mutant(
        name="replaced incarnation may still send",
        file="actors/execution/context.py",
        old="return self.actor.incarnation.is_ours()",
        new="return True",
    ),
    Mutant(
        name="replaced incarnation may still write",
        file="infra/store/lease.py",
        old="def _check(self, found: int) -> None:\n",
        new="def _check(self, found: int) -> None:\n        return\n",
    ),
    Mutant(
        name="replaced incarnation may still tell",
        file=_ACTOR,
        old="            if lease.is_revoked:\n                self._record_fenced(outbox)\n                return\n",
        new="",
    ),
    Mutant(
        name="message lost by a crash",
        file=_MAILBOX,
        old="            for _ in self._waiting:\n                self._lease.signal(_MAIL)",
        new="            self._waiting.clear()",
    ),
    Mutant(
        name="crashed actor not started again",
        file=_SUPERVISOR,
        old="            child.restart_at_s = now_s + pause_s",
        new="            child.restart_at_s = now_s + 1e9",
    ),
    Mutant(
        name="hang not noticed",
        file=_SUPERVISOR,
        old="if busy_since_s is not None and now_s - busy_since_s > limit_s:",
        new="if False and busy_since_s is not None and now_s - busy_since_s > limit_s:",
    ),
    Mutant(
        name="abandoned start takes its successor's news",
        file=_ACTOR,
        old="            if not self.incarnation.is_ours():",
        new="            if False:",
    ),
    Mutant(
        name="restart not told",
        file=_ACTOR,
        old="if incarnation.is_restart and not incarnation.lease.is_revoked:",
        new="if False:",
    ),
    Mutant(
        name="candles that were missed are not fetched",
        file="infra/venues/bybit/feed.py",
        old="        if until_ms - from_ms < self._candle_ms:",
        new="        if True:",
    ),
    Mutant(
        name="candle not stored",
        file="infra/venues/bybit/feed.py",
        old="            self._journals_of[asset].append(*(ClosedCandle(asset=asset, candle=c) for c in waiting))",
        new="            pass",
    ),
    Mutant(
        name="intent not synced",
        file=_WRITER,
        old="is_durable = bool(waited) or any(isinstance(fact, _ACTED_UPON) for fact in rest)",
        new="is_durable = False",
    ),
    Mutant(
        name="command not synced",
        file=_WRITER,
        old="_ACTED_UPON = (Intent, OperatorCommand, StopMoved)",
        new="_ACTED_UPON = (Intent, StopMoved)",
    ),
    Mutant(
        name="stop move not synced",
        file=_WRITER,
        old="_ACTED_UPON = (Intent, OperatorCommand, StopMoved)",
        new="_ACTED_UPON = (Intent, OperatorCommand)",
    ),
    Mutant(
        name="what protects is not kept in the reserve",
        file=_BACKLOG,
        old="        if protects:\n            self._journal.keep(*facts)",
        new="",
    ),
    Mutant(
        name="reserve forgotten by a restart",
        file="infra/store/reserve.py",
        old="self._records = [*found, *map(self._rewritten, of_ours)]",
        new="self._records = [*map(self._rewritten, of_ours)]",
    ),
    Mutant(
        name="commands forgotten by a restart",
        file="actors/portfolio/operating.py",
        old="        self._take(fold(commands, self._assets))\n        self.flat = set()",
        new="        self.flat = set()",
    ),
    Mutant(
        name="commands stored and not done",
        file="actors/portfolio/operating.py",
        old="            self._take(self.state.apply(answer, self._assets))",
        new="            pass",
    ),
    Mutant(
        name="reserve emptied before its facts are stored",
        file=_WRITER,
        old="""        fact_ids = self._settle(facts)
        rest""",
        new="""        for record in waited:
            self._reserve.discard(record)
        fact_ids, waited = self._settle(facts), []
        rest""",
    ),
    Mutant(
        name="close is not reduce-only",
        file="domain/trading/intents.py",
        old="        reduce_only=True,",
        new="        reduce_only=False,",
    ),
    Mutant(
        name="trade not stored",
        file="domain/trading/books.py",
        old="            facts.append(booked.trade)",
        new="            pass",
    ),
    Mutant(
        name="funding not booked",
        file="infra/venues/bybit/shapes/executions.py",
        old="return self.exec_type in _TRADES or self.exec_type == _FUNDING",
        new="return self.exec_type in _TRADES",
    ),
    Mutant(
        name="second attempt at a close under the first one's id",
        file=_EXITS,
        old="attempt=next_attempt(self._context.books.orders.values(), decided_ms, purpose)",
        new="attempt=1",
    ),
    Mutant(
        name="notice that may have arrived does not say so",
        file="infra/operator/notices/carrier.py",
        old="        self._deliveries.mark_sending(delivery)\n",
        new="",
    ),
    Mutant(
        name="notice marked as delivered before it is sent",
        file="infra/operator/notices/carrier.py",
        old="        self._deliveries.mark_sending(delivery)\n",
        new="        self._deliveries.mark_delivered(delivery)\n",
    ),
)


def copied(folder: Path) -> None:
    """Copy the program."""
    for name in _FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        shutil.copy(ROOT / name, folder / name)


def found_by(
    mutant: Mutant, folder: Path, first: int, seeds: int, jobs: int = 1
) -> tuple[int, str] | None:
    """Return the first seed that finds a defect, and the promise; None where none does."""
    file = folder / mutant.file
    sound = file.read_text(encoding="utf-8")
    if sound.count(mutant.old) != 1:
        message = f"{mutant.name}: expected its text once in {mutant.file}"
        raise ValueError(message)
    file.write_text(sound.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        for start in range(first, first + seeds, _AT_ONCE):
            shown = _simulate(folder, start, min(_AT_ONCE, first + seeds - start), jobs)
            bad = re.search(r"BAD\s+seed (\d+)\s+(.*)", shown)
            if bad is not None:
                return int(bad[1]), bad[2].strip()
            if "with a broken promise" not in shown:
                return start, shown.strip().splitlines()[-1]
    finally:
        file.write_text(sound, encoding="utf-8")
    return None


def _simulate(folder: Path, first: int, seeds: int, jobs: int) -> str:
    words = ["--seeds", str(seeds), "--seed", str(first), "--minutes", "25", "--fail-fast"]
    words += ["--jobs", str(jobs)]
    run = subprocess.run(
        [sys.executable, "-m", "tests.simulation.command", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


def main() -> None:
    """Print which seed finds which defect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        copied(Path(name))
        by_name = {mutant.name: mutant for mutant in MUTANTS}
        for mutant in map(by_name.__getitem__, asked.names or by_name):
            began_s = time.monotonic()
            try:
                found = found_by(mutant, Path(name), asked.first, asked.seeds, asked.jobs)
            except ValueError as error:
                print(f"{mutant.name}: {error}", flush=True)
                continue
            took_s = time.monotonic() - began_s
            seed, promise = found or ("-", "NOT FOUND")
            print(f"| {mutant.name} | {seed} | {promise} | {took_s:.0f} s", flush=True)


if __name__ == "__main__":
    main()
