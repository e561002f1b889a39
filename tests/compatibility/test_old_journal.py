"""A journal of an older program is read as it is, and a run goes on from it."""

import json
import shutil
from collections import Counter
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import typer
from typer.testing import CliRunner

import bin.parity
from domain.trading.decisions import Approval
from infra.store.audit import read_audit
from infra.store.books import BooksReader
from infra.store.reader import FactReader
from infra.store.reading import open_reading
from tests.system.floor import floor

OLD_VERSION = 8
BEGAN_WITH = Decimal(10_000)
"""Balance of the simulation before its first trade."""


def version(file: Path) -> int:
    with closing(open_reading(file)) as journal:
        (found,) = journal.rows("PRAGMA user_version")
        return int(found["user_version"])


def counts(file: Path) -> tuple[int, int, int, int, int]:
    """Return approvals, denials, orders, executions and trades."""
    with closing(FactReader(file)) as facts:
        found = facts.approvals(), facts.denials(), facts.orders(), facts.executions()
        return (*(len(each) for each in found), len(facts.trades()))  # type: ignore[return-value]


def approvals(file: Path) -> list[Approval]:
    with closing(FactReader(file)) as facts:
        return [approval for _, approval in facts.approvals()]


def test_its_facts_are_read_while_nobody_has_brought_it_up_to_date(
    made: Path, market: Path, sim: Path
) -> None:
    files = [folder / "journal.sqlite" for folder in (made, market, sim)]

    assert [counts(file)[4] for file in files] == [18, 5, 5]
    for file in files:
        assert version(file) == OLD_VERSION
        assert {entry.kind for entry in read_audit(file)} >= {"grant", "intent", "trade"}
        with closing(BooksReader(file)) as books:
            assert sum(books.read().trades.values()) == counts(file)[4]
        for approval in approvals(file):
            assert approval.signal_ms <= approval.t_ms
            assert approval.kinds.startswith("PRICE_BELOW_")
            assert approval.terms is None
        assert version(file) == OLD_VERSION


def test_parity_judges_it_by_the_settings_that_it_noted(sim: Path) -> None:
    app = typer.Typer()
    app.command()(bin.parity.main)

    done = CliRunner().invoke(app, ["--run-dir", str(sim), "--json"])

    found = json.loads(done.output)
    assert len(found["differences"]) == 5
    assert "STALE" in str(found["differences"])


def test_a_run_goes_on_from_it_with_all_trades_and_nothing_twice(sim: Path) -> None:
    journal = sim / "journal.sqlite"
    before = sim / "before.sqlite"
    shutil.copy(journal, before)

    with floor(sim, state=sim / "sim-exchange.state") as here:
        here.rules = replace(
            here.rules, fills=replace(here.rules.fills, initial_balance=BEGAN_WITH)
        )
        here.wait_for_trades(4)
        here.wait_until_agreed()
        assert here.broken_promises() == []

    assert version(journal) > OLD_VERSION
    with closing(FactReader(before)) as old, closing(FactReader(journal)) as new:
        trades, executions = new.trades(), new.executions()
        assert trades[: len(old.trades())] == old.trades()
        assert executions[: len(old.executions())] == old.executions()
        opened_ms = max(e.ts_ms for e in old.executions() if e.asset == "BTC")
    assert approvals(journal)[: len(approvals(before))] == approvals(before)
    assert set(Counter(execution.exec_id for execution in executions).values()) == {1}
    # What the older program opened is closed as one trade.
    assert [t.entry_ms for _, t in trades if t.asset == "BTC"].count(opened_ms) == 1
