"""Stories in detail: links in the order of time, exits by the exchange, figures for people."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bin.bootstrap.recorded import build_replay
from domain.trading.orders import ExitReason
from infra.process.times import show_time
from infra.store.reader import FactReader
from infra.trace.query.chain import Story
from infra.trace.query.closes import close_story
from infra.trace.query.decision import readable
from infra.trace.query.figures import _quantiles
from infra.trace.query.orders import orders_of
from infra.trace.query.replayed import differing
from infra.trace.query.story import story_of
from infra.trace.reader import TraceReader
from tests.replay.runs import CANDLE_MS, START_MS, finish, lively_settings, made_up_market


def test_every_trade_of_a_lively_market_has_its_exit_fill_also_where_the_exchange_closed_it(
    tmp_path: Path,
) -> None:
    run, lockstep = build_replay(lively_settings(tmp_path), made_up_market(3, 500), tmp_path)
    finish(run, lockstep)
    facts, reader = FactReader(tmp_path / "journal.sqlite"), TraceReader(tmp_path / "trace")

    trades = dict(facts.trades())
    stories = {number: story_of(f"trade/{number}", facts, reader) for number in trades}

    assert {trade.decided_ms is None for trade in trades.values()} == {True, False}
    rows = {row["id"]: row for row in orders_of(facts)}
    assert [row["fact_id"] for row in rows.values()] == sorted(r["fact_id"] for r in rows.values())
    for number, trade in trades.items():
        row = rows.get(f"trade/{number}")
        assert (row is not None) == (trade.decided_ms is None)
        if row is not None:
            assert (row["asset"], row["candle_ms"]) == (trade.asset, trade.exit_ms)
            assert row["detail"].startswith(f"{trade.reason} at the exchange: ")
            assert story_of(row["message"], facts, reader) == stories[number]
    for number, story in stories.items():
        fills = [step for step in story.steps if step.name == "fill"]
        assert story.missing == []
        assert [fill.text.split()[0] for fill in fills] == ["SELL", "BUY"], trades[number]
        assert all(fill.message for fill in fills)


def test_every_close_of_a_lively_market_is_explained_as_it_was_decided(tmp_path: Path) -> None:
    far = {"high_correlation_threshold": 0.99, "stop_loss_pct": 0.05, "take_profit_pct": 0.1}
    settings = lively_settings(tmp_path, risk=far)
    run, lockstep = build_replay(settings, made_up_market(3, 300), tmp_path)
    finish(run, lockstep)
    facts, reader = FactReader(tmp_path / "journal.sqlite"), TraceReader(tmp_path / "trace")
    answers = {(approval.asset, approval.t_ms): ": approved" for _, approval in facts.approvals()}
    answers |= {(r.asset, r.t_ms): f": denied, {r.reason}" for _, r in facts.denials()}
    exits = {
        (trade.asset, trade.decided_ms): trade.reason
        for _, trade in facts.trades()
        if trade.reason in (ExitReason.REGIME, ExitReason.TIME)
    }
    closes = [START_MS + place * CANDLE_MS for place in range(41, 301, 13)]
    wanted = {(asset, t_ms) for asset in ("BTC", "ETH", "SOL") for t_ms in closes}
    wanted |= {*list(answers)[:25], *list(exits)[:25]}

    for asset, t_ms in wanted:
        story = close_story(f"{asset}@{iso(t_ms)}", facts, reader)
        answer, exited = answers.get((asset, t_ms)), exits.get((asset, t_ms))
        assert story.missing == []
        assert story.title.startswith(f"{asset}, close of {show_time(t_ms)}: ")
        assert story.title.endswith(f"asks to enter{answer}" if answer else ""), story.title
        assert ("asks to enter" in story.title) == (answer is not None)
        assert (": exit: " in story.title) == (exited is not None)
        assert (": exit: regime" in story.title) == (exited is ExitReason.REGIME)
    assert len(answers) > 10
    assert len(exits) >= 5


def iso(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M}"


def test_a_late_link_lies_where_its_time_belongs_and_parts_nothing(tmp_path: Path) -> None:
    run, lockstep = build_replay(lively_settings(tmp_path), made_up_market(3, 60), tmp_path)
    finish(run, lockstep)
    found = next(iter(TraceReader(tmp_path / "trace").read()))
    story = Story(title="")
    for name, at_ms in (("candle", 10), ("grant", 10), ("", 10), ("", 10), ("fill", 20)):
        story.add(name, name, at_ms)

    story.add_in_time("crash", "between", 15, found)
    story.add_in_time("restart", "at the end", 25, found)

    names = [step.name for step in story.steps]
    assert names == ["candle", "grant", "", "", "crash", "fill", "restart"]


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ("until_ms=0", "until=none"),
        ("until_ms=1744825800000", "until=2025-04-16T17:50"),
        ("target=6997.3083889730 capacity=14000.727686119", "target=6997.3083 capacity=14000.7276"),
        ("age_ms=3010 limit=0.20", "age_ms=3010 limit=0.20"),
    ],
)
def test_figures_are_for_people(figures: str, told: str) -> None:
    assert readable(figures) == told


def test_what_differs_by_its_order_alone_is_shown_too() -> None:
    then, now = {"prices": {"BTC": 1, "SOL": 2}, "t": 3}, {"prices": {"SOL": 2, "BTC": 1}, "t": 4}

    shown = list(differing(then, now))

    assert shown == [("prices, in this order", "BTC, SOL", "SOL, BTC"), ("t", "3", "4")]


def test_quantiles_are_the_smallest_value_that_so_many_do_not_exceed() -> None:
    assert _quantiles([3, 1]) == ["1 us", "3 us", "3 us"]
    assert _quantiles([float(n) for n in range(1, 201)]) == ["100 us", "198 us", "200 us"]
    assert _quantiles([]) == ["", "", ""]
