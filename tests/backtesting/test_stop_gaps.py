"""Stops that fill past their triggers: what they cost is told beside the result."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bin.backtest import main
from domain.backtesting.market import Market
from domain.backtesting.stop_gaps import FRACTIONS, gap_runs, without_gaps
from domain.trading.positions import ZERO
from tests.backtesting.markets import Recipe, lively_rules, random_market
from tests.backtesting.test_bias import folder_with

app = typer.Typer()
app.command()(main)


def invoke(folder: Path, *more: str):
    words = ["--candles", str(folder), "--settings", str(folder / "settings.yaml"), *more]
    return CliRunner().invoke(app, words)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = folder_with(tmp_path, 6_000)
    file = made / "settings.yaml"
    file.write_text(file.read_text() + "risk: {stop_loss_pct: 0.004}\n")
    return made


def test_the_further_stops_fill_past_their_triggers_the_less_is_left() -> None:
    market = Market(random_market(Recipe(seed=1, candles=700)))

    runs = list(gap_runs(market, lively_rules()))

    assert tuple(run.fraction for run in runs) == FRACTIONS
    assert runs[0].stops > 5
    balances = [run.figures.final_balance for run in runs]
    assert balances == sorted(balances, reverse=True)
    assert len(set(balances)) == len(balances)


def test_the_result_without_gaps_is_that_of_a_fraction_of_zero() -> None:
    market = Market(random_market(Recipe(seed=1, candles=700)))
    gapped = lively_rules(fills={"stop_gap_fraction": FRACTIONS[2]})

    found = without_gaps(market, gapped)

    assert found is not None
    assert found.final_balance == next(gap_runs(market, lively_rules())).figures.final_balance
    assert without_gaps(market, lively_rules(fills={"stop_gap_fraction": ZERO})) is None


def test_the_check_prints_a_row_for_each_fraction(folder: Path) -> None:
    end = invoke(folder, "--gap-check")

    assert end.exit_code == 0, end.stderr
    rows = [line.split() for line in end.stdout.splitlines()]
    assert [row[0] for row in rows if row and row[0] in {"0", "0.1", "0.5"}] == ["0", "0.1", "0.5"]
    assert "0 *" in end.stdout


def test_reports_show_the_result_without_gaps_where_they_are_set(folder: Path) -> None:
    plain = json.loads(invoke(folder, "--json").stdout)
    file = folder / "settings.yaml"
    file.write_text(file.read_text() + "replay:\n  stop_gap_fraction: 0.5\n")

    gapped = json.loads(invoke(folder, "--json").stdout)
    page = folder / "page.html"
    shown = invoke(folder, "--report", str(page)).stdout

    assert "without_stop_gaps" not in plain
    assert gapped["without_stop_gaps"]["final_balance"] == plain["final_balance"]
    assert gapped["final_balance"] < plain["final_balance"]
    assert f"balance {plain['final_balance']:,.2f}" in shown
    assert "with stops at their triggers" in page.read_text()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--json",), "--json does not go with --gap-check"),
        (("--report", "x.html"), "--report does not go with --gap-check"),
        (("--check-bias",), "--check-bias does not go with --gap-check"),
        (("--sweep", "risk.stop_loss_pct=0.01"), "--gap-check does not go with --sweep"),
    ],
)
def test_wrong_use_is_told_in_a_line(tmp_path: Path, more: tuple[str, ...], told: str) -> None:
    end = invoke(folder_with(tmp_path, 40), "--gap-check", *more)

    assert (end.exit_code, end.stderr.count("\n")) == (2, 1)
    assert told in end.stderr
