"""The page's tables, read back: they hold every trade, and their parts add up to the whole."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.backtesting.figures import daily_returns
from domain.backtesting.market import Market
from domain.backtesting.result import BacktestResult
from domain.backtesting.run import run_backtest
from domain.market.ratios import sharpe_ratio
from infra.operator.report.page import render
from infra.operator.report.parameters import parameters
from infra.operator.report.tables import tables
from tests.backtesting.markets import Recipe, lively_rules, random_market


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    recipe = Recipe(seed=5, candles=3_000, jumps=0.01)
    return run_backtest(Market(random_market(recipe)), lively_rules())


@pytest.fixture(scope="module")
def found(result: BacktestResult) -> dict[str, list[list[str]]]:
    """Return the rows of each table by its title."""
    return {re.search("<h2>(.*?)</h2>", text)[1]: rows(text) for text in tables(result)}


def rows(html: str) -> list[list[str]]:
    lines = re.findall("<tr>(.*?)</tr>", html.partition("<tbody>")[2])
    return [re.findall("<td[^>]*>(.*?)</td>", line) for line in lines]


def total(column: list[str]) -> Decimal:
    return sum((Decimal(cell.replace(",", "")) for cell in column), Decimal(0))


def test_every_trade_has_its_row_in_order(
    result: BacktestResult, found: dict[str, list[list[str]]]
) -> None:
    shown = found["Trades"]

    assert [row[0] for row in shown] == [trade.asset for trade in result.trades]
    assert [row[4] for row in shown] == [str(trade.reason) for trade in result.trades]
    assert [Decimal(row[9].replace(",", "")) for row in shown] == [
        round(trade.pnl, 2) for trade in result.trades
    ]


def test_assets_and_exit_reasons_add_up_to_all_trades(
    result: BacktestResult, found: dict[str, list[list[str]]]
) -> None:
    *assets, whole = found["By asset"]
    reasons = found["By exit reason"]

    assert [row[0] for row in assets] == list(result.histories)
    assert {row[0] for row in reasons} == {str(trade.reason) for trade in result.trades}
    for split in (assets, reasons):
        assert total([row[1] for row in split]) == len(result.trades)
        assert total([row[3] for row in split]) == pytest.approx(
            total([whole[3]]), abs=Decimal("0.05")
        )
    assert total([whole[3]]) == round(sum(trade.pnl for trade in result.trades), 2)


def test_shares_of_assets_add_up_and_the_sharpe_ratio_is_that_of_the_last_days(
    result: BacktestResult, found: dict[str, list[list[str]]]
) -> None:
    *assets, whole = found["Return and risk by asset"]

    assert [row[0] for row in (*assets, whole)] == [*result.histories, "all"]
    assert sum(float(row[2].rstrip("%")) for row in assets) == pytest.approx(100, abs=0.3)
    assert sum(float(row[5].rstrip("%")) for row in assets) == pytest.approx(100, abs=0.3)
    # A running system knows no equity before the end of its first day.
    returns = daily_returns(result.equity, result.initial_balance)[1:]
    assert float(whole[3]) == pytest.approx(sharpe_ratio(returns), abs=0.01)


def test_what_is_before_the_part_that_counts_is_no_day_without_return(
    result: BacktestResult,
) -> None:
    middle_ms = int(result.equity.time_ms[len(result.equity.time_ms) // 2])

    shown = tables(replace(result, counts_from_ms=middle_ms))

    (risk,) = [rows(text) for text in shown if "Return and risk by asset" in text]
    returns = daily_returns(result.equity.since(middle_ms), result.initial_balance)[1:]
    assert float(risk[-1][3]) == pytest.approx(sharpe_ratio(returns), abs=0.01)


def test_falls_rivals_and_rests_are_shown(found: dict[str, list[list[str]]]) -> None:
    depths = [float(row[0].rstrip("%")) for row in found["Worst drawdowns"]]
    rivals = [row[0] for row in found["Against holding"]]

    assert depths
    assert depths == sorted(depths, reverse=True)
    assert rivals == ["strategy", "bought and held", "sold short and held"]
    rests = found["Halts, emergencies and cooldowns of the portfolio"]
    assert {"HALT", "LOSS_STREAK", "DAILY_LOSS"} <= {row[0] for row in rests}


def test_the_time_after_a_halt_is_said_beside_the_sharpe_ratio(result: BacktestResult) -> None:
    assert result.is_halted
    assert re.search(
        r"<span>Sharpe \([0-9]+% of the time after a halt\)</span>", render(result, [])
    )


def test_a_run_without_a_trade_has_a_page(result: BacktestResult) -> None:
    idle = replace(result, trades=[], protections=[], open_positions=[])

    text = render(idle, [])

    assert "There were none" in text
    assert "after a halt" not in text


def test_parameters_are_in_units_that_people_read(result: BacktestResult) -> None:
    protection = replace(
        result.rules.protection,
        emergency_cooldown_ms=14_400_000,
        stale_data_ms=90_500,
        drawdown_halt_fraction=Decimal(1),
        max_daily_loss_fraction=Decimal("0.005"),
    )
    shown = dict(
        row for row in rows_of_two(parameters(replace(result.rules, protection=protection)))
    )

    assert shown["emergency cooldown"] == "4h"
    assert shown["stale data"] == "90.5 s"
    assert shown["drawdown halt"] == "100 %"
    assert shown["max daily loss"] == "0.5 %"
    assert shown["slippage"].endswith(" %")


def rows_of_two(html: str) -> list[tuple[str, str]]:
    return re.findall("<td>([^<]*)</td><td>([^<]*)</td></tr>", html)
