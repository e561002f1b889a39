"""The portfolio in figures, for people and for programs, with every limit that is broken."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from actors.operator.performance_view import performance_view
from actors.operator.portfolio_view import before_reduce, portfolio_view
from actors.wording.rebalancing import rebalance_advised
from actors.wording.risk import protection_fired
from domain.market.instruments import DAY_MS, Side
from domain.operator.commands import UnknownCommandError, parse
from domain.operator.replies import Reply
from domain.operator.wording import advice_line
from domain.portfolio.metrics import metrics
from domain.portfolio.performance import Performance, Performances
from domain.portfolio.protection import initial_state
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.portfolio.state import PortfolioState
from domain.trading.decisions import Protection
from domain.trading.orders import ExitReason
from tests.domain.builders import NOON_MS, changed, entry, long, report, series, short, trade

START = Decimal(10_000)
RULES = changed(
    approval={
        "rebalance_threshold": Decimal("0.10"),
        "max_position_size": Decimal("0.01"),
        "correlation_limit": None,
        "max_correlated_exposure": None,
        "max_concentration": None,
    }
)


def snapshot() -> PortfolioSnapshot:
    books = PortfolioState(RULES, initial_state(START, NOON_MS), START)
    books.book(entry("BTC", 20, 100, fee=1))
    books.book(entry("ETH", 40, 100, side=Side.BUY))
    for asset, price in (("BTC", 100.0), ("ETH", 101.0)):
        books.remember_closes(asset, series([price]))
    return replace(books.snapshot(), paused=("SOL",))


def rows(reply: Reply) -> dict[str, tuple[str, ...]]:
    assert reply.table is not None
    return {row[0]: row[1:] for row in reply.table.rows}


def test_the_summary_has_capital_pnl_and_what_is_broken() -> None:
    reply = portfolio_view("", snapshot(), RULES)

    shown = rows(reply)
    assert shown["total PnL"] == ("+39.00 USDT",)
    assert shown["total return"] == ("+0.39%",)
    assert shown["active positions"] == ("2",)
    assert shown["win rate"] == ("nothing closed",)
    assert reply.data["equity"] == "10039.0"
    assert reply.data["win_rate_pct"] is None
    assert [each["limit"] for each in reply.data["violations"]] == ["POSITION_SIZE"] * 2
    assert "🚨 POSITION_SIZE BTC: " in reply.lines[0]
    assert [each["asset"] for each in reply.data["rebalancing"]] == ["BTC", "ETH"]
    assert portfolio_view("summary", snapshot(), RULES) == reply


def test_the_ranking_has_the_largest_first_and_its_cumulative_share() -> None:
    reply = portfolio_view("concentration", snapshot(), RULES)

    assert reply.table is not None
    assert [row[:2] for row in reply.table.rows] == [("1", "ETH"), ("2", "BTC")]
    assert [row[4] for row in reply.table.rows] == ["66.7%", "100.0%"]


def test_each_pair_has_its_status_and_money() -> None:
    reply = portfolio_view("pairs", snapshot(), RULES)

    shown = rows(reply)
    assert [found[0] for found in shown.values()] == ["SHORT", "LONG", "flat, paused"]
    assert shown["ETH"][3:5] == ("+0.00", "+40.00")
    assert reply.data["pairs"]["BTC"]["realized_pnl"] == "-1"
    assert set(reply.data["pairs"]["BTC"]) >= {"contribution_pct", "win_rate_pct"}


def test_an_empty_portfolio_has_a_view_too() -> None:
    empty = PortfolioState(RULES, initial_state(START, NOON_MS), START).snapshot()

    assert portfolio_view("concentration", empty, RULES).title == "Nothing is open"
    assert portfolio_view("", empty, RULES).data["violations"] == []
    assert len(rows(portfolio_view("pairs", empty, RULES))) == 3


@pytest.mark.parametrize("text", ["portfolio all", "portfolio summary x", "performance 0d"])
def test_a_view_that_there_is_not_is_named(text: str) -> None:
    with pytest.raises(UnknownCommandError, match="expected"):
        parse(text)


@pytest.mark.parametrize("part", ["0", "1.01", "-0.5", "50%", "nan", "1e-3", "."])
def test_a_part_is_a_fraction_above_0_and_up_to_1(part: str) -> None:
    with pytest.raises(UnknownCommandError, match="fraction above 0 and up to 1"):
        parse(f"reduce BTC {part}")
    assert parse("reduce BTC 1").argument == "BTC 1"
    assert parse("reduce BTC .25").argument == "BTC .25"


def figures(trades: list[Any], period: str) -> dict[str, tuple[str, ...]]:
    return rows(performance_view(trades, ("BTC", "ETH"), period, NOON_MS))


def test_performance_is_of_each_asset_and_of_the_days_that_are_asked_for() -> None:
    trades = [
        trade(5, exit_ms=NOON_MS - 40 * DAY_MS),
        trade(-2, exit_ms=NOON_MS - DAY_MS, asset="ETH"),
        trade(3, exit_ms=NOON_MS, asset="OLD"),
    ]

    assert {name: found[3] for name, found in figures(trades, "").items()} == {
        "all": "+6.00",
        "BTC": "+5.00",
        "ETH": "-2.00",
        "OLD": "+3.00",
    }
    assert figures(trades, "30d")["all"][3] == "+1.00"
    assert figures(trades, "30d")["BTC"][0] == "0"


@pytest.mark.parametrize(("held", "side"), [(short, "SHORT"), (long, "LONG")])
def test_advice_names_the_side_the_quantity_and_the_command(held: Any, side: str) -> None:
    books = PortfolioState(RULES, initial_state(START, NOON_MS), START)
    position = held("BTC", 10_000, 100)
    books.positions["BTC"] = position
    books.remember_closes("BTC", series([100.0]))
    (advice,) = books.advice()

    notice = rebalance_advised(advice, position.side, position.opened_ms, NOON_MS)

    assert f"BTC {side}" in notice.text
    assert f"REDUCE by {advice.qty:f}" in advice_line(advice)
    assert "You can: reduce BTC" in notice.text
    assert (
        notice.key
        == rebalance_advised(advice, position.side, position.opened_ms, NOON_MS + DAY_MS // 4).key
    )


def test_a_close_is_what_advice_is_made_on_not_a_later_price() -> None:
    books = PortfolioState(RULES, initial_state(START, NOON_MS), START)
    books.positions["BTC"] = long("BTC", 10, 100)
    books.decide(NOON_MS, [report("BTC", 100.0)], now_ms=NOON_MS)
    before = books.advice()
    books.remember_price("BTC", Decimal(500))

    assert books.advice() == before


def test_before_a_reduce_the_operator_reads_what_is_open_and_advised() -> None:
    asks = before_reduce("btcusdt 0.5", snapshot(), RULES)

    assert asks.startswith("BTC SHORT 20 is open; BTC: ADD by ")
    assert before_reduce("SOL", snapshot(), RULES) == ""


def test_a_lost_capital_is_told_as_a_halt_with_its_limit() -> None:
    fired = Protection(
        t_ms=NOON_MS,
        reason=ExitReason.CAPITAL_LOSS,
        closes=(),
        epoch=1,
        cooldown_end_ms=0,
        figures="",
    )
    rules = changed(protection={"capital_loss_fraction": Decimal("0.1")}).protection

    text = protection_fired(fired, rules).text

    assert "HALT: entry capital lost" in text
    assert "Limit of the loss 10.0%" in text
    assert "No entries until rearm" in text


def test_performance_tells_what_is_open_and_the_share_of_each_asset() -> None:
    done = Performances(assets={"BTC": Performance(adverse=0.01)})
    money = metrics(snapshot(), RULES)

    reply = performance_view([], ("BTC", "ETH"), "", NOON_MS, done, money)

    whole, btc = (line.partition(": ") for line in reply.lines)
    assert (whole[0], btc[0]) == ("all", "BTC")
    assert whole[2].startswith("PnL with open +39.00, return on open +")
    assert "share of PnL" not in whole[2]
    assert "share of PnL " in btc[2]
    assert btc[2].endswith("MAE 1.00%")
