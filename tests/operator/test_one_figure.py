"""Terminal, page, commands and metrics say the same of what is open, at the newest prices."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.operator.inspector import valued
from actors.operator.portfolio_view import portfolio_view
from domain.operator import wording as say
from domain.operator.system import FeedState, SystemSnapshot
from domain.portfolio.snapshots import PortfolioSnapshot
from infra.operator.terminal.live.money import money
from infra.operator.terminal.live.scene import Scene
from infra.operator.web.overview import overview
from tests.actors.test_wording import PORTFOLIO, POSITION, RULES

CLOSE, NEWEST = Decimal("131.20"), Decimal("129.95")
HELD = replace(
    PORTFOLIO,
    equity=PORTFOLIO.balance + POSITION.unrealized_pnl(CLOSE),
    day_start_equity=PORTFOLIO.balance,
    positions={"SOL": POSITION},
    prices={"SOL": CLOSE},
)
UNREALIZED = POSITION.unrealized_pnl(NEWEST)
FEEDS = {"SOL": FeedState(asset="SOL", age_s=0.1, is_stale=False, price=NEWEST)}
PRICES = st.decimals(min_value="0.01", max_value="100000", places=2)


@given(close=PRICES, newest=PRICES)
def test_newer_prices_move_the_equity_by_what_the_open_pnl_moves(
    close: Decimal, newest: Decimal
) -> None:
    found = replace(HELD, prices={"SOL": close}, equity=Decimal(10_000))

    later = found.at({"SOL": newest})

    assert later.unrealized_pnl == POSITION.unrealized_pnl(newest)
    assert later.equity - later.unrealized_pnl == found.equity - found.unrealized_pnl
    assert later.drawdown == found.drawdown


def seen() -> SystemSnapshot:
    return SystemSnapshot(
        actors=(),
        dead_letters=0,
        portfolio=valued(HELD, FEEDS),
        feeds=FEEDS,
    )


@pytest.fixture
def shown() -> str:
    """The open PnL by the newest price."""
    return f"{POSITION.unrealized_pnl(NEWEST):+,.2f}"


def test_the_terminal_shows_the_newest_price_s_figure(shown: str) -> None:
    scene = Scene(seen=seen(), rules=RULES)

    assert f"open PnL {shown}" in money(scene, 200).plain
    assert f"today {say.signed_percent(UNREALIZED / HELD.balance, 2)}" in money(scene, 200).plain
    assert f"{scene.pnl('SOL'):+,.2f}" == shown


def test_the_page_shows_it_for_the_portfolio_and_for_the_position(shown: str) -> None:
    view: dict[str, Any] = overview(seen(), RULES)

    as_gain = say.gain(POSITION.unrealized_pnl(NEWEST))
    assert view["portfolio"]["unrealized"] == as_gain
    assert view["portfolio"]["today"] == as_gain
    assert view["assets"]["SOL"]["position"]["pnl"] == as_gain
    assert shown.lstrip("+-") in as_gain


def test_commands_and_metrics_show_it(shown: str) -> None:
    portfolio = seen().portfolio
    assert isinstance(portfolio, PortfolioSnapshot)

    rows = dict(portfolio_view("summary", portfolio, RULES).table.rows)  # type: ignore[union-attr]

    assert shown.lstrip("+-") in rows["unrealized PnL"]
    assert f"{portfolio.unrealized_pnl:+,.2f}" == shown
