"""Sweeps: which runs they make, that each is the plain backtest, and what is told of them."""

import csv
import json
import math
import subprocess
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from bin.backtest import main
from domain.backtesting.figures import backtest_figures
from domain.backtesting.heat_map import heat_map
from domain.backtesting.market import Market
from domain.backtesting.run import run_backtest
from domain.backtesting.sweep import (
    FIGURES,
    Combination,
    Score,
    batches,
    gathered,
    play,
    windows,
)
from domain.errors import ConfigError
from domain.market.instruments import DAY_MS
from domain.strategies.registry import CONFIRMED_TREND_LONG
from infra.backtest import cluster
from infra.backtest.local import cores, play_locally, processes
from infra.backtest.plan import combinations, read_sweep
from infra.operator.report.sweep_plots import sweep_plots
from infra.settings import SettingsSource, load_settings
from tests.backtesting.markets import Recipe, lively_rules, random_market
from tests.domain.builders import RULES

ROOT = Path(__file__).resolve().parents[2]
SOURCE = SettingsSource(None, environ={}, dotenv=None)
app = typer.Typer()
app.command()(main)


# What is tried.


def test_ranges_include_their_end_and_lists_follow_commas():
    found = read_sweep("strategy.a=120:360:80, risk.b=0.01,0.015 ,risk.c=0.1:0.3:0.1,0.7")

    assert {p.key: p.values for p in found} == {
        "strategy.a": ("120", "200", "280", "360"),
        "risk.b": ("0.01", "0.015"),
        "risk.c": ("0.1", "0.2", "0.3", "0.7"),
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected KEY=FROM:TO:STEP"),
        ("1,2", "expected KEY=FROM:TO:STEP"),
        ("a b=1", "'a b' is not a setting"),
        ("=1", "is not a setting"),
        ("a.b=", "found no value"),
        ("a.b=1,,2", "found no value"),
        ("a.b=1:2", "expected FROM:TO:STEP in numbers"),
        ("a.b=1:x:1", "expected FROM:TO:STEP in numbers"),
        ("a.b=1:NaN:1", "expected FROM:TO:STEP in numbers"),
        ("a.b=2:1:1", "expected FROM:TO:STEP that rises"),
        ("a.b=1:2:0", "expected FROM:TO:STEP that rises"),
        ("a.b=0:1:0.0000001", "at most 10,000 values"),
        ("a.b=1,a.b=2", "a.b is there a second time"),
    ],
)
def test_wrong_words_are_told(text, told):
    with pytest.raises(ConfigError, match="--sweep") as caught:
        read_sweep(text)

    assert told in str(caught.value)


def test_every_combination_is_tried_once_and_samples_are_the_same_again():
    parameters = read_sweep("strategy.ema_short_period=100:130:10,risk.stop_loss_pct=0.01,0.02")

    every = [tuple(one.values.values()) for one in combinations(parameters, SOURCE)]
    some, again, others = (
        [tuple(c.values.values()) for c in combinations(parameters, SOURCE, samples=5, seed=seed)]
        for seed in (1, 1, 2)
    )

    assert every == [(s, r) for s in ("100", "110", "120", "130") for r in ("0.01", "0.02")]
    assert len(set(some)) == 5
    assert set(some) < set(every)
    assert some == again != others


def test_settings_of_longs_and_of_every_asset_are_swept():
    keys = ("confirmed_trend_long.rsi_level", "portfolio.assets[*].trail_pct")
    parameters = read_sweep(
        f"portfolio.assets[*].strategy={CONFIRMED_TREND_LONG},{keys[0]}=45,55,{keys[1]}=0.02,0.03"
    )

    found = combinations(parameters, SOURCE)

    terms = [[asset.terms for asset in one.rules.assets] for one in found]
    assert [
        {(term.strategy.parameters["rsi_level"], str(term.stops.trail_fraction)) for term in each}
        for each in terms
    ] == [{(level, trail)} for level in (45.0, 55.0) for trail in ("0.02", "0.03")]


def test_a_combination_that_settings_refuse_is_told():
    parameters = read_sweep("strategy.ema_short_period=500,700,strategy.ema_long_period=600,800")

    with pytest.raises(ConfigError) as caught:
        combinations(parameters, SOURCE)

    assert "1 of 4 combinations are not allowed" in str(caught.value)
    assert "strategy.ema_short_period=700, strategy.ema_long_period=600" in str(caught.value)
    assert "allowed: below strategy.ema_long_period = 600 (--sweep)" in str(caught.value)


# What is played.

RULES_TRIED = [
    lively_rules(strategy={"ema_short_period": short, "ema_long_period": long})
    for short in (3, 5)
    for long in (8, 13, 21)
]
TRIED = [
    Combination(values={"n": str(number)}, rules=rules) for number, rules in enumerate(RULES_TRIED)
]
MARKET = Market(random_market(Recipe(seed=3, candles=6_000, assets=2)))


def test_each_score_is_that_of_the_plain_backtest():
    made = batches(TRIED, (), size=4)
    scores = {batch.number: play(MARKET, batch) for batch in made}

    result = gathered(TRIED, (), scores, made, sort="pnl")

    assert [len(batch.rules) for batch in made] == [4, 2]
    for row in result.rows:
        found = backtest_figures(run_backtest(MARKET, row.combination.rules))
        (score,) = row.in_sample
        assert score.total_return == found.total_return
        assert score.sharpe == found.sharpe
        assert score.trades == found.total.trades > 0
        assert score.max_drawdown == found.drawdown.fraction
    pnl = [row.in_sample[0].pnl for row in result.rows]
    assert pnl == sorted(pnl, reverse=True)


def test_processes_find_what_one_process_finds():
    made = batches(TRIED, (), size=2)

    apart = dict(play_locally(MARKET, made, at_once=processes(2)))

    assert apart == {batch.number: play(MARKET, batch) for batch in made}


def test_a_sweep_has_a_process_for_each_core_and_no_more_than_is_allowed():
    settings = load_settings(None, environ={"MAX_WORKERS": "1"}, dotenv=None)

    assert processes(settings.replay.max_workers) == 1
    assert processes(None) == processes(cores() + 1) == cores()


@given(days=st.integers(0, 400), train=st.integers(1, 90), test=st.integers(1, 60))
def test_windows_are_always_judged_on_what_comes_after(days, train, test):
    found = windows(0, days * DAY_MS, train_ms=train * DAY_MS, test_ms=test * DAY_MS)

    assert len(found) == max(0, (days - train) // test)
    for window in found:
        assert window.test_from_ms - window.train_from_ms == train * DAY_MS
        assert window.test_to_ms - window.test_from_ms == test * DAY_MS
        assert window.test_to_ms <= days * DAY_MS
    assert all(one.test_to_ms == after.test_from_ms for one, after in pairwise(found))


def test_a_window_trades_as_a_run_that_began_a_warm_up_before_it():
    candle_ms, warmup = MARKET.candle_ms, RULES_TRIED[0].candles.warmup_candles
    # The warm-up lies on both sides of a midnight.
    test_ms = (MARKET.first_open_ms // DAY_MS + 14) * DAY_MS + warmup // 2 * candle_ms
    start_ms = test_ms - 3_000 * candle_ms
    found = windows(
        start_ms,
        start_ms + 4_500 * candle_ms,
        train_ms=3_000 * candle_ms,
        test_ms=1_000 * candle_ms,
    )
    made = batches(TRIED, found, size=4)
    scores = {batch.number: play(MARKET, batch) for batch in made}

    result = gathered(TRIED, found, scores, made, sort="total_return")

    (window,) = found
    cut = {
        name: asset.series.between(window.test_from_ms - warmup * candle_ms, window.test_to_ms)
        for name, asset in MARKET.assets.items()
    }
    for row in result.rows:
        alone = run_backtest(Market(cut), row.combination.rules)
        assert all(trade.entry_ms > window.test_from_ms for trade in alone.trades)
        (score,) = row.out_of_sample
        tested = backtest_figures(alone, window.test_from_ms)
        assert score.total_return == tested.total_return
        # Days of the warm-up, in which nothing is traded, would water it down.
        assert score.sharpe == tested.sharpe != backtest_figures(alone).sharpe
        assert score.trades == len(alone.trades)
    (choice,) = result.choices
    returns = {}
    for row in result.rows:
        ((seen,), (unseen,)) = row.in_sample, row.out_of_sample
        returns[row.combination.values["n"]] = seen.total_return, unseen.total_return
    assert choice.in_sample.total_return == max(seen for seen, _ in returns.values())
    chosen = returns[choice.combination.values["n"]]
    assert chosen == (choice.in_sample.total_return, choice.out_of_sample.total_return)
    assert choice.rank == 1 + sum(unseen > chosen[1] for _, unseen in returns.values())


def test_what_is_not_defined_is_never_the_best_and_a_small_drawdown_is():
    none = Score(**dict.fromkeys(FIGURES))
    scores = [none, replace(none, max_drawdown=0.2), replace(none, max_drawdown=0.1)]
    made = batches(TRIED[:3], (), size=3)

    result = gathered(TRIED[:3], (), {0: scores}, made, sort="max_drawdown")

    assert [row.combination.values["n"] for row in result.rows] == ["2", "1", "0"]


def test_a_heat_map_has_the_mean_over_what_else_was_swept():
    none = Score(**dict.fromkeys(FIGURES))
    tried = [
        Combination(values={"x": x, "y": y, "z": z}, rules=RULES)
        for x in ("9", "10")
        for y in ("a", "b")
        for z in ("1", "2")
    ]
    scores = [replace(none, pnl=float(number)) for number in range(7)] + [none]
    made = batches(tried, (), size=8)
    result = gathered(tried, (), {0: scores}, made, sort="pnl")

    found = heat_map(result, "x", "y", "pnl")

    assert (found.x_values, found.y_values) == (("9", "10"), ("a", "b"))
    np.testing.assert_array_equal(found.cells, [[0.5, 4.5], [2.5, 6.0]])
    assert math.isnan(heat_map(result, "x", "y", "sharpe").cells[0, 0])


@pytest.mark.parametrize(("found", "kinds"), [((), 1), (windows(0, 9, train_ms=5, test_ms=4), 2)])
def test_the_report_has_a_heat_map_for_each_pair_and_each_kind_of_sample(found, kinds):
    none = Score(**dict.fromkeys(FIGURES))
    tried = [
        Combination(values={"x": x, "y": y, "z": z, "same": "1"}, rules=RULES)
        for x in "12"
        for y in "12"
        for z in "12"
    ]
    made = batches(tried, found, size=8)
    scores = {b.number: [replace(none, pnl=float(b.number - 1))] * 8 for b in made}
    result = gathered(tried, found, scores, made, sort="pnl")

    plots = sweep_plots(result)

    assert len(plots) == 3 * kinds
    means = {-1.0, 0.0} if found else {-1.0}
    assert {value for plot in plots for value in plot.data[0].z.ravel()} == means
    titles = [plot.layout.title.text for plot in plots]
    assert sum("pnl in sample" in title for title in titles) == 3
    assert all("the best in sample of 8 combinations" in title for title in titles)


# The command.


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("candles")
    market = random_market(Recipe(seed=5, candles=9_000, assets=1, volatility=0.004))
    for name, series in market.items():
        names = ("open", "high", "low", "close", "volume")
        columns = {column: getattr(series, column) for column in names}
        pq.write_table(
            pa.table({"open_time": series.open_time_ms, **columns}), made / f"{name}USDT.parquet"
        )
    (made / "settings.yaml").write_text(
        "portfolio:\n  assets:\n"
        "    - {symbol: BTCUSDT, allocation_pct: 0.07, leverage: 10, enabled: true}\n"
        "strategy: {candle_minutes: 5, warmup_candles: 600}\n"
    )
    return made


def invoke(folder: Path, *more: object):
    words = ["--candles", folder, "--settings", folder / "settings.yaml", *more]
    return CliRunner().invoke(app, [str(word) for word in words])


SWEEP = ("--sweep", "strategy.ema_short_period=100,200,risk.stop_loss_pct=0.01,0.02")


def test_the_table_says_that_results_are_in_sample_and_the_csv_has_them(folder, tmp_path):
    end = invoke(folder, *SWEEP, "--sort", "total_return", "--sweep-csv", tmp_path / "out.csv")

    assert end.exit_code == 0, end.stderr
    assert "4 combinations by total_return" in end.stdout
    assert "In-sample results." in end.stdout
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["strategy.ema_short_period", "risk.stop_loss_pct", *FIGURES]
    assert len(rows) == 4
    settings = (folder / "settings.yaml").read_text()
    best = rows[0]
    one = tmp_path / "best.yaml"
    one.write_text(
        settings.replace(
            "warmup_candles: 600",
            f"warmup_candles: 600, ema_short_period: {best['strategy.ema_short_period']}",
        )
        + f"risk: {{stop_loss_pct: {best['risk.stop_loss_pct']}}}\n"
    )
    alone = json.loads(invoke(folder, "--json", "--settings", one).stdout)
    assert float(best["total_return"]) == alone["total_return"]
    assert float(best["sharpe"]) == alone["sharpe"]


def test_a_walk_forward_shows_both_sides(folder, tmp_path):
    page = tmp_path / "page.html"
    end = invoke(
        folder,
        *(*SWEEP, "--walk-forward", "14:7"),
        *("--sweep-csv", tmp_path / "out.csv", "--report", page),
    )

    assert end.exit_code == 0, end.stderr
    assert "sharpe out of sample, mean over all else" in page.read_text()
    assert "What each window would have chosen" in end.stdout
    rows = [line.split()[:2] for line in end.stdout.splitlines() if "%/" in line]
    assert sorted(rows) == [[a, b] for a in ("100", "200") for b in ("0.01", "0.02")]
    assert "Out of sample the choices made" in end.stdout
    assert "In-sample results." not in end.stdout
    with (tmp_path / "out.csv").open() as file:
        assert len(next(csv.DictReader(file))) == 2 + 2 * len(FIGURES)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--sort", "luck"), "--sort luck: expected one of pnl"),
        (("--walk-forward", "90"), "--walk-forward 90: expected TRAIN:TEST"),
        (("--walk-forward", "90:30"), "expected candles of 120 days or more"),
        (("--json",), "--json does not go with --sweep"),
        (("--trades", "x.csv"), "--trades does not go with --sweep"),
        (("--scheduler", "tcp://127.0.0.1:1"), "no Dask scheduler answers there"),
        (("--sweep", "strategy.candle_minutes=5,15"), "candles of one length"),
        (("--sweep", "strategy.ema_short_period=600:100:10"), "=600:100:10: expected FROM:TO:STEP"),
    ],
)
def test_wrong_use_is_told_in_a_line(folder, more, told, monkeypatch):
    monkeypatch.setattr(cluster, "_PATIENCE_S", 0.5)
    end = invoke(folder, *SWEEP, *more)

    assert (end.exit_code, end.stderr.count("\n")) == (2, 1)
    assert told in end.stderr


def test_a_killed_process_is_told(folder):
    sweep = "strategy.ema_short_period=100:390:2,strategy.ema_long_period=400:600:50"
    command = [sys.executable, "-m", "bin.backtest", "--candles", str(folder), "--sweep", sweep]
    with subprocess.Popen(
        [*command, "--settings", str(folder / "settings.yaml")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        ends_s = time.monotonic() + 60
        while not (workers := _workers(running.pid)):
            assert time.monotonic() < ends_s
            assert running.poll() is None
            threading.Event().wait(0.02)
        workers[0].kill()
        out, err = running.communicate(timeout=60)

    assert (running.returncode, out) == (1, "")
    # The library's own tracker of shared memory may have something to say after it.
    told = "--sweep: a process of the sweep was killed; is there too little memory?"
    assert told in err.splitlines()


def _workers(pid: int) -> list[psutil.Process]:
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if "popen_loky_posix" in " ".join(child.cmdline())]


@pytest.mark.parametrize(("name", "value"), [("--samples", 3), ("--sort", "calmar")])
def test_options_of_sweeps_need_one(folder, name, value):
    end = invoke(folder, name, value)

    assert (end.exit_code, end.stderr) == (2, f"{name} needs --sweep\n")
