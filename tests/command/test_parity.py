"""What a run did, held against the rules: alike, or told with the cause where it is not."""

import contextlib
import json
import shutil
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bin.command import WRONG_USE
from bin.parity import ALIKE, DIFFERS
from domain.market.instruments import DAY_MS
from domain.operator.notices import NoticeRules
from infra.operator.parity.daily import DailyParity
from infra.run.copying import copied
from infra.store.location import note_journal
from tests.command.test_sim_max import DAY, over_sockets, run, write_candles
from tests.postgres_server import Cluster
from tests.replay.runs import LIVELY, lively_settings, made_up_market, replay

DAYS = ("2025-04-01", "2025-04-02")


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of two days through the live connection."""
    folder = tmp_path_factory.mktemp("parity")
    write_candles(folder, made_up_market(5, 2 * DAY))
    on_the_grid = {f"{asset}USDT": {"tick_size": "0.01"} for asset in ("BTC", "ETH", "SOL")}
    settings = folder / "lively.yaml"
    settings.write_text(json.dumps(LIVELY | {"instruments": on_the_grid}))
    rows, _ = over_sockets(folder, "--candles", folder, "--settings", settings)
    assert len(rows) > 30
    return folder


def compared(folder: Path, journal: Path, *arguments: str) -> tuple[int, str]:
    given = ("--run-dir", journal, "--settings", folder / "lively.yaml", *arguments)
    done = run(folder, *given, module="bin.parity")
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout or done.stderr


@pytest.fixture
def changed(traded: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return what changes a copy of the run's facts."""

    def change(statement: str) -> Path:
        shutil.copytree(traded / "sockets", tmp_path / "copy")
        with contextlib.closing(sqlite3.connect(tmp_path / "copy/journal.sqlite")) as journal:
            names = journal.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for (name,) in names.fetchall():
                journal.execute(f"DROP TRIGGER {name}")
            for single in statement.split(";"):
                assert journal.execute(single).rowcount == 1
            journal.commit()
        return tmp_path / "copy"

    return change


@pytest.mark.parametrize("day", DAYS)
def test_each_day_of_a_live_run_was_decided_as_the_rules_do(traded: Path, day: str) -> None:
    code, printed = compared(traded, traded / "sockets", "--day", day, "--json")

    found = json.loads(printed)
    assert found["differences"] == []
    assert code == ALIKE
    assert found["alike"] > 50
    # The simulated exchange fills as a backtest assumes.
    assert float(found["slippage_bps"]) == pytest.approx(2, abs=0.05)
    assert float(found["fee_rate"]) == pytest.approx(0.00055, rel=0.01)


def test_a_run_whose_journal_is_in_a_server_is_compared_as_well(
    traded: Path, tmp_path: Path, cluster: Cluster
) -> None:
    address = cluster.new_address()
    copied(traded / "sockets" / "journal.sqlite", address)
    note_journal(tmp_path, address)

    found = compared(traded, tmp_path, "--json")

    assert found == compared(traded, traded / "sockets", "--json")
    assert found[0] == ALIKE


def test_the_page_of_a_run_has_each_trade_beside_that_of_the_backtest(
    traded: Path, tmp_path: Path
) -> None:
    page, curve = tmp_path / "run.html", tmp_path / "run.csv"

    files = ("--report", str(page), "--equity", str(curve))
    code, printed = compared(traded, traded / "sockets", *files, "--json")

    found, text = json.loads(printed), page.read_text(encoding="utf-8")
    assert code == ALIKE
    assert found["trades"] > 10
    assert float(curve.read_text().split(",")[-1]) == pytest.approx(found["final_equity"])
    assert f"{found['trades']} trades were made by both, 0 only by the run, 0 only by" in text
    assert "<h1>Run</h1>" in text
    for title in ("Equity of the run and of the backtest", "Every fill of both", "Worst drawdowns"):
        assert title in text


def test_a_period_without_candles_is_one_clear_line(traded: Path, tmp_path: Path) -> None:
    given = ("--run-dir", traded / "sockets", "--settings", traded / "lively.yaml")
    span = ("--report", tmp_path / "run.html", "--to", "2024-01-01")

    done = run(traded, *given, *span, module="bin.parity")

    assert done.returncode == WRONG_USE
    assert "holds no candles of this period" in (done.stdout + done.stderr).replace("\n", " ")
    assert not (tmp_path / "run.html").exists()


_FIRST_GRANT = "(SELECT MIN(fact_id) FROM decision_grant)"
_REFUSAL = "fact_id = (SELECT MIN(fact_id) FROM decision_refusal)"
_EXIT = "(SELECT MIN(fact_id) FROM intent WHERE reason = 'REGIME')"
_BY_THE_OPERATOR = (
    "UPDATE execution SET reason = 'OPERATOR', decided_ms = decided_ms - 2000 WHERE "
    f"client_order_id = (SELECT client_order_id FROM intent WHERE fact_id = {_EXIT});"
    "UPDATE intent SET purpose = 'oper', reason = 'OPERATOR', decided_ms = decided_ms - 2000 "
    f"WHERE fact_id = {_EXIT}"
)
_STOPPED = "(SELECT MIN(fact_id) FROM execution WHERE client_order_id IS NULL AND kind = 'TRADE')"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (f"UPDATE decision_grant SET qty = '0.5' WHERE fact_id = {_FIRST_GRANT}", "granted 0.5"),
        (f"DELETE FROM decision_grant WHERE fact_id = {_FIRST_GRANT}", "was not decided"),
        (
            f"UPDATE decision_refusal SET reason = 'PAUSED', figures = 'me' WHERE {_REFUSAL}",
            "refused PAUSED: me",
        ),
        (
            f"UPDATE intent SET reason = 'TIME' WHERE fact_id = {_EXIT}",
            "the rules say REGIME, the run did TIME",
        ),
        (
            f"UPDATE execution SET reason = 'LIQUIDATION' WHERE fact_id = {_STOPPED}",
            "the run did LIQUIDATION",
        ),
        (
            _BY_THE_OPERATOR,
            "the run did nothing: it was being closed by the operator, asked for 2.0 s before",
        ),
    ],
    ids=[
        "another size",
        "no grant",
        "refused by the live system alone",
        "exit",
        "stop",
        "operator",
    ],
)
def test_what_was_not_done_as_the_rules_say_is_told_with_its_cause(
    traded: Path, changed: Callable[[str], Path], statement: str, words: str
) -> None:
    code, printed = compared(traded, changed(statement), "--day", DAYS[0])

    assert code == DIFFERS
    assert words in printed


def test_without_settings_those_are_taken_that_the_run_noted(traded: Path) -> None:
    done = run(traded, "--run-dir", traded / "sockets", "--day", DAYS[0], module="bin.parity")

    assert done.returncode == ALIKE, done.stdout
    assert ", 0 differ" in done.stdout


def test_a_replay_says_why_it_cannot_be_judged(tmp_path: Path) -> None:
    replay(lively_settings(tmp_path), made_up_market(4, 80), tmp_path / "replayed")

    done = run(tmp_path, "--run-dir", tmp_path / "replayed", module="bin.parity")

    assert done.returncode == WRONG_USE
    assert "a replay's journal cannot be judged: it holds no candles" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--day", "yesterday"), "not a day; write it like 2025-05-01"),
        (("--day", "2031-01-01"), "nothing of the day 2031-01-01"),
    ],
)
def test_a_day_that_cannot_be_compared_is_one_clear_line(
    traded: Path, arguments: tuple[str, ...], words: str
) -> None:
    code, printed = compared(traded, traded / "sockets", *arguments)

    assert code == WRONG_USE
    assert words in printed


def test_without_a_journal_it_says_so(traded: Path, tmp_path: Path) -> None:
    code, printed = compared(traded, tmp_path)

    assert code == WRONG_USE
    assert "no journal there" in printed


class ManualClock:
    """A clock whose only call is made by hand."""

    def __init__(self, now_ms: int) -> None:
        self.due: list[tuple[int, Callable[[], None]]] = []
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def call_at(self, due_ms: int, call: Callable[[], None]) -> "ManualClock":
        self.due.append((due_ms, call))
        return self

    def cancel(self) -> None:
        """Nothing is called by itself."""


@pytest.mark.parametrize("is_alike", [True, False])
def test_a_running_system_tells_once_a_day_how_the_day_before_compares(
    traded: Path, changed: Callable[[str], Path], *, is_alike: bool
) -> None:
    directory = traded / "sockets"
    if not is_alike:
        directory = changed(f"DELETE FROM decision_grant WHERE fact_id = {_FIRST_GRANT}")
    now_ms = round(datetime(2025, 4, 2, 0, 5, tzinfo=UTC).timestamp() * 1000)
    clock, told, is_told = ManualClock(now_ms), [], threading.Event()

    def tell(key: str, title: str, detail: str) -> None:
        told.append((key, title, detail))
        is_told.set()

    daily = DailyParity(
        directory,
        traded / "lively.yaml",
        notices=NoticeRules(alert_cooldown_minutes=15, report_minute=5, weekly_report_weekday=0),
        clock=clock,
        tell=tell,
    )
    daily.start()
    ((due_ms, call),) = clock.due
    assert due_ms == now_ms + DAY_MS
    call()
    assert is_told.wait(100)
    daily.close()

    ((key, title, detail),) = told
    assert key == "parity/2025-04-01"
    assert ("made the same decisions" in title) is is_alike
    assert ("bin/parity --run-dir" in detail) is not is_alike
