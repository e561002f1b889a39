"""A strategy of the user's own that answers the same candles in two ways is found."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bin.backtest import main
from domain.backtesting.purity import impurities
from domain.rules import TradingRules
from domain.strategies.base import StrategySpec
from examples.own_strategy import Breakout
from infra.backtest import bias
from infra.backtest.endless import EndlessWatch
from tests.backtesting.markets import Recipe, lively_rules, random_market
from tests.backtesting.test_bias import folder_with
from tests.domain import foreign

CANDLES = random_market(Recipe(seed=8, candles=600))
app = typer.Typer()
app.command()(main)


class Learns(Breakout):
    """Remembers each close of its lives, and so knows in a later one what comes next."""

    known: dict[int, float] = {}  # noqa: RUF012 - all instances share it, which is the fault

    def fold(self, candle, before_ms):
        self.known[candle.close_time_ms] = candle.close
        return super().fold(candle, before_ms)

    def evaluate(self):
        found = super().evaluate()
        after = self.known.get(self.t_ms + self.candles.candle_ms)
        return found if after is None else replace(found, note="up" if after > 100 else "down")


class CountsQuestions(Breakout):
    """Changes by being asked."""

    asked = 0

    def evaluate(self):
        self.asked += 1
        return replace(super().evaluate(), note=str(self.asked))


def rules_with(kind: type) -> TradingRules:
    rules = lively_rules()
    name = f"{kind.__module__}:{kind.__name__}"
    spec = StrategySpec(name=name, parameters={"channel_candles": 9})
    own = replace(rules.assets[1], terms=replace(rules.assets[1].terms, strategy=spec))
    return replace(rules, assets=(rules.assets[0], own, rules.assets[2]))


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (foreign.Remembers, "two folds beside each other differ at the close of "),
        (foreign.Guesses, "two folds beside each other differ at the close of "),
        (Learns, "a fold and a later one differ at the close of "),
        (CountsQuestions, "a fold and a later one differ at the close of "),
        (foreign.OtherRefold, "the same decision whenever the same candles are folded"),
        (foreign.NanValue, "to be a finite number, found nan"),
        (foreign.QuietRaises, "raised ZeroDivisionError: a made failure"),
    ],
)
def test_what_is_impure_is_found_and_named(kind: type, told: str) -> None:
    Learns.known.clear()

    (found,) = impurities(CANDLES, rules_with(kind))

    assert found.asset == "ETH"
    assert told in found.what


def test_a_pure_strategy_and_ours_are_not_accused() -> None:
    asked = []

    assert impurities(CANDLES, rules_with(Breakout), lambda: asked.append(1)) == ()

    assert len(asked) == 1, "only the one that is not ours is asked"


def checked(folder: Path, kind: type):
    (folder / "settings.yaml").write_text(
        "portfolio:\n  assets:\n    - symbol: BTCUSDT\n"
        f"      strategy: {kind.__module__}:{kind.__name__}\n"
        "      allocation_pct: 0.07\n      leverage: 1\n      trail_pct: 0.01\n"
        "      parameters: {channel_candles: '20'}\n"
        "strategy: {warmup_candles: 700}\n"
    )
    words = ["--candles", str(folder), "--settings", str(folder / "settings.yaml"), "--check-bias"]
    return CliRunner().invoke(app, words)


def test_the_command_accuses_an_impure_strategy(tmp_path: Path) -> None:
    end = checked(folder_with(tmp_path, 1_500), foreign.Guesses)

    assert end.exit_code == 1, end.stderr
    assert "Impure strategy!" in end.stdout
    assert "BTC: two folds beside each other differ" in end.stdout


def test_the_command_accuses_one_that_never_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bias, "EndlessWatch", partial(EndlessWatch, 0.2))

    end = checked(folder_with(tmp_path, 1_500), foreign.QuietLoops)

    assert end.exit_code == 1, end.stderr
    said = " ".join(end.stdout.split())
    assert "BTC: strategy tests.domain.foreign:QuietLoops: no answer in 0.2 s of computing" in said


def test_the_command_clears_a_pure_one(tmp_path: Path) -> None:
    end = checked(folder_with(tmp_path, 1_500), Breakout)

    assert end.exit_code == 0, end.stderr
    assert "Pure strategies." in end.stdout
    assert "No look-ahead." in end.stdout
