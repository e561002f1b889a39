"""The command's words, as a user meets them."""

import contextlib
import json
import re
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bin.trace
from bin.trace import app
from infra.process.times import show_time
from infra.trace.crash_files import CRASHES
from tests.trace.conftest import Traced
from tests.trace.debugging import ROOT, debug


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(bin.trace.screen, "_width", 200)


def run(where: Path, *arguments: str, code: int = 0) -> str:
    bin.trace.screen.file = None  # whatever the runner has made of stdout
    result = CliRunner().invoke(app, ["--run-dir", str(where), *arguments])
    assert result.exit_code == code, result.output
    return result.output


def seconds(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}"


def orders(traced: Traced) -> list[dict]:
    return json.loads(run(traced.folder, "orders", "--json"))


def test_orders_are_listed_with_their_outcome(traced: Traced) -> None:
    rows = orders(traced)

    text = run(traced.folder, "orders")

    assert all(row["id"] in text for row in rows)
    assert {row["outcome"] for row in rows} == {"FILLED", "REFUSED"}


def test_why_explains_an_order_in_lines_and_as_json(traced: Traced) -> None:
    wanted = next(row["id"] for row in orders(traced) if row["outcome"] == "FILLED")

    text = run(traced.folder, "why", wanted)
    story = json.loads(run(traced.folder, "why", wanted, "--json"))

    assert 10 <= len(text.splitlines()) <= 40
    assert "kept MAX_POSITIONS: positions=0 limit=3" in text
    assert [step["name"] for step in story["steps"]][:4] == [
        "candle",
        "indicators",
        "signal",
        "wish",
    ]


def test_why_takes_a_trade_and_a_message_too(traced: Traced) -> None:
    row = next(row for row in orders(traced) if row["outcome"] == "FILLED")
    number, trade = traced.facts().trades()[0]

    by_trade = run(traced.folder, "why", f"trade/{number}")
    by_time = run(traced.folder, "why", f"{trade.asset}@{seconds(trade.exit_ms)}")
    by_message = run(traced.folder, "why", row["message"])

    assert f"{trade.pnl:+.2f} USDT" in by_trade
    assert by_time.startswith(by_trade.rstrip())
    assert f"{trade.asset}, close of {show_time(trade.exit_ms)}: " in by_time
    assert row["id"] in by_message


def test_why_explains_a_close_at_which_nothing_happened(traced: Traced) -> None:
    text = run(traced.folder, "why", "close/BTC@2025-04-17T06:02")
    story = json.loads(run(traced.folder, "why", "close/BTC@2025-04-17T06:00", "--json"))

    assert text.splitlines()[0].startswith("BTC, close of 2025-04-17 06:00: no entry: ")
    assert story["title"] == text.splitlines()[0]
    judged = [step["text"] for step in story["steps"] if step["text"].startswith(("yes", "NO "))]
    failed = next(text for text in judged if text.startswith("NO "))
    assert story["title"].endswith(failed.removeprefix("NO  "))
    assert len(judged) == 11


def test_why_of_the_message_that_orders_names_for_an_exit_is_the_story_of_the_exit(
    traced: Traced,
) -> None:
    row = next(row for row in orders(traced) if row["purpose"] == "exit")

    assert run(traced.folder, "why", row["message"]) == run(traced.folder, "why", row["id"])


def test_tail_shows_what_was_asked_for(traced: Traced) -> None:
    text = run(traced.folder, "tail", "-n", "5", "--actor", "asset/ETH", "--type", "CandleClosed")

    lines = text.splitlines()
    assert len(lines) == 5
    assert all("feed/ETH > asset/ETH CandleClosed" in line for line in lines)


def test_a_crash_is_listed_shown_and_run_again(traced: Traced) -> None:
    listed = run(traced.folder, "crashes")
    crash_id = next(
        m[1] for m in re.finditer(r"(?m)^\s+(1\.\d+)\s.*asset/BTC.*CandleClosed", listed)
    )

    shown = run(traced.folder, "crash", crash_id)
    again = run(traced.folder, "replay", "asset/BTC", "--until", crash_id)

    assert "DrillError: crash drill" in shown
    assert "state.strategy.closes_seen" in shown
    assert "recovery: incarnation" in shown
    assert re.search(r"from the facts up to \d+, asked journals.open, feed", shown)
    assert "all equal" in again
    assert f"crashed again in the same way: {crash_id} DrillError" in again


def test_a_crash_file_is_read_like_a_run(traced: Traced) -> None:
    file = next((traced.folder / "crashes").glob(f"portfolio{CRASHES}"))

    text = run(file, "replay", "portfolio")

    assert "all equal" in text
    assert "crashed again" in text


def test_the_debugger_stops_before_the_chosen_message(traced: Traced) -> None:
    file = next((traced.folder / "crashes").glob(f"asset-ETH{CRASHES}"))

    text = debug(file, "replay", "asset/ETH", typed="p envelope\nc\n")

    assert "work_on" in text or "begin_life" in text
    assert "(Pdb)" in text


def without_places(text: str) -> str:
    """Return a debugger's words without where the project lies and which line it stands at."""
    return re.sub(r"(\.py[(:])\d+", r"\1", text.replace(f"{ROOT}/", ""))


def test_the_debugger_does_what_its_page_shows(traced: Traced) -> None:
    told = without_places((ROOT / "docs" / "debug.md").read_text(encoding="utf-8"))
    (block,) = re.findall(r"```\n(\$ bin/trace crashes\n.*?)```", told, re.DOTALL)
    named, *row = re.split(r"\s{2,}", block.splitlines()[1])[:-1]
    crashes = run(traced.folder, "crashes").splitlines()
    cells = [re.split(r"\s{2,}", line.strip())[:-1] for line in crashes]
    # Which of the messages of one close has which number is up to the threads.
    (number,) = (found for found, *crash in filter(None, cells) if crash == row)
    _, _, asked, *shown = block.replace(named, number).splitlines()
    typed = [line.removeprefix("(Pdb) ") for line in shown if line.startswith("(Pdb) ")]

    text = debug(traced.folder, *asked.split()[2:-1], typed="".join(f"{one}\n" for one in typed))

    assert asked == f"$ bin/trace replay {row[1]} --until {number} --pdb"
    lines = [line.removeprefix("(Pdb) ") for line in without_places(text).splitlines()]
    answers = [line for line in shown if not line.startswith("(Pdb) ")]
    assert [line for line in lines if line in answers] == answers


def test_numbers_and_the_slowest_are_shown(traced: Traced) -> None:
    stats, slow = run(traced.folder, "stats"), run(traced.folder, "slow", "-n", "3")

    assert re.search(r"portfolio\s+AssetReported", stats)
    assert len(re.findall(r"\s1\.\d+\s+(?:asset|execution|portfolio|notifier)", slow)) == 3


def test_a_tree_holds_the_whole_trace_of_a_message(traced: Traced) -> None:
    row = next(row for row in orders(traced) if row["outcome"] == "FILLED")

    text = run(traced.folder, "tree", row["message"])

    assert row["message"] in text
    assert "OpenPosition" in text


def test_equal_runs_do_not_differ(traced: Traced) -> None:
    text = run(traced.folder, "diff", str(traced.folder), str(traced.folder))

    assert re.fullmatch(r"\d+ decisions, all equal\n", text)


def test_settings_that_differ_are_named_and_secrets_are_not_shown(
    traced: Traced, tmp_path: Path
) -> None:
    other, older = tmp_path / "other", tmp_path / "older"
    shutil.copytree(traced.folder, other)
    shutil.copytree(traced.folder, older)
    with contextlib.closing(sqlite3.connect(other / "journal.sqlite")) as journal, journal:
        (stored,) = journal.execute("SELECT value FROM meta WHERE key = 'settings'").fetchone()
        changed = json.loads(stored) | {
            "strategy.ema_short_period": "120",
            "notifications.slack_url": "secret 83ab",
            "exchange.api_key": "secret 83ab",
        }
        update = "UPDATE meta SET value = ? WHERE key = 'settings'"
        journal.execute(update, (json.dumps(changed),))
    with contextlib.closing(sqlite3.connect(older / "journal.sqlite")) as journal, journal:
        journal.execute("DELETE FROM meta WHERE key = 'settings'")

    text = run(traced.folder, "diff", str(traced.folder), str(other))
    of_older = run(traced.folder, "diff", str(traced.folder), str(older))

    assert "setting strategy.ema_short_period: 240, and 120 in the other" in text
    assert "setting notifications.slack_url: null, and a secret in the other" in text
    assert "83ab" not in text
    assert text.count("setting ") == len(set(changed) - set(json.loads(stored))) + 2
    assert "recorded no settings" in of_older
    assert "all equal" in of_older


def test_the_first_decision_that_differs_is_shown_with_both_causes(
    traced: Traced, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(traced.folder, other)
    refused = [row for row in orders(traced) if row["outcome"] == "REFUSED"]
    wanted = refused[len(refused) // 2]
    with contextlib.closing(sqlite3.connect(other / "journal.sqlite")) as journal, journal:
        journal.execute("DROP TRIGGER decision_refusal_refuses_update")
        journal.execute(
            "UPDATE decision_refusal SET reason = 'GROUP' WHERE t_ms = ? AND asset = ?",
            (wanted["candle_ms"], wanted["asset"]),
        )

    text = run(traced.folder, "diff", str(traced.folder), str(other))

    assert "decisions are equal, then:" in text
    shown = [line for line in text.splitlines() if f"{wanted['asset']} denied:" in line]
    assert len(shown) == 2
    assert wanted["detail"].split()[0] in shown[0]
    assert "GROUP" in shown[1]
    assert text.count("indicators") == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("why", "nonsense"), "nothing has this id"),
        (("why", "9.9"), "no message of this id"),
        (("why", "close/BTC@2031-05-01T12:05"), "no such close in the trace"),
        (("why", "close/DOGE@2025-04-16T12:05"), "no such close in the trace"),
        (("why", "close/BTC@noon"), "not an ISO time"),
        (("why", "close/BTC"), "not an ISO time"),
        (("tree", "x"), "not the id of a message"),
        (("crash", "1.1"), "no crash of this id"),
        (("replay", "asset/DOGE"), "no such actor in the trace"),
        (
            ("replay", "asset/ETH", "--until", "9.9"),
            "--until 9.9: this actor handled no such message",
        ),
        (
            ("replay", "asset/ETH", "--from", "9.9"),
            "--from 9.9: this actor handled no such message",
        ),
        (("export",), "needs either"),
        (("tail", "--since", "noon"), "not an ISO time"),
        (("tail", "--actor", "asset/DOGE"), "asset/DOGE: no such actor in the trace; there are"),
    ],
)
def test_a_mistake_is_one_clear_line(
    traced: Traced, arguments: tuple[str, ...], words: str
) -> None:
    assert words in run(traced.folder, *arguments, code=2)


def test_a_file_that_is_no_trace_and_a_crash_file_without_a_journal_are_clear_errors(
    traced: Traced, tmp_path: Path
) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("no trace")
    crash = next((traced.folder / "crashes").glob(f"portfolio{CRASHES}"))

    assert "neither a run directory nor a crash file" in run(other, "stats", code=2)
    assert "a crash file has no journal" in run(crash, "orders", code=2)


def test_two_named_runs_are_compared_where_no_other_run_is(
    traced: Traced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bin.trace, "VAR", tmp_path)
    bin.trace.screen.file = None

    compared = CliRunner().invoke(app, ["diff", str(traced.folder), str(traced.folder)])
    unnamed = CliRunner().invoke(app, ["stats"])

    assert "all equal" in compared.output
    assert unnamed.exit_code == 2
    assert "no run in" in unnamed.output
    assert "name one by --run-dir" in unnamed.output


def test_a_directory_without_a_trace_is_a_clear_error(tmp_path: Path) -> None:
    assert "no trace there" in run(tmp_path, "stats", code=2)
    assert "no journal there" in run(tmp_path, "orders", code=2)
