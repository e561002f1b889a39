"""The Python face of the portfolio: percent outside, the domain's rules inside, a real account."""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from actors.multi_pair.config import PairConfig, PortfolioConfig
from actors.multi_pair.manager import PortfolioManager
from actors.multi_pair.orchestrator import MultiPairOrchestrator
from domain.errors import ConfigError
from domain.market.candles import CandleSeries
from domain.market.instruments import Candle
from domain.portfolio.rebalancing import Rebalance
from domain.rules import TradingRules
from domain.strategies.base import StrategySpec
from domain.trading.decisions import Approval, DenialReason
from domain.trading.orders import ExitReason
from domain.trading.positions import Execution, Trade
from examples import demo_multi_pair as demo
from tests.backtesting.markets import Recipe, random_market
from tests.domain.builders import NOON_MS, RULES

ROOT = Path(__file__).resolve().parents[2]


def pair(symbol: str = "BTC", **changes) -> PairConfig:
    spec = StrategySpec(name="examples.own_strategy:Breakout", parameters={"channel_candles": 3})
    instrument = RULES.asset(symbol).instrument
    return PairConfig(symbol=symbol, instrument=instrument, strategy=spec, **changes)


def manager(*pairs: PairConfig, **limits) -> PortfolioManager:
    config = PortfolioConfig(total_capital=Decimal(10_000), **limits)
    made = PortfolioManager(config, RULES, now_ms=NOON_MS)
    for one in pairs:
        made.register_pair(one)
    return made


class RememberingManager(PortfolioManager):
    """Keeps the trades that have ended."""

    def __init__(self, config: PortfolioConfig, base: TradingRules, *, now_ms: int) -> None:
        super().__init__(config, base, now_ms=now_ms)
        self.ended: list[Trade] = []

    def book(self, execution: Execution) -> Trade | None:
        """Book an execution, and keep the trade that it ended."""
        trade = super().book(execution)
        self.ended += [] if trade is None else [trade]
        return trade


def test_percent_of_the_face_are_fractions_of_the_rules() -> None:
    found = manager(
        pair(position_size_pct=Decimal(5), trail_pct=Decimal(2), stop_loss_pct=Decimal("1.5")),
        max_position_size_pct=Decimal(8),
        emergency_liquidation_loss_pct=Decimal(-10),
    ).rules

    asset = found.asset("BTC")
    assert asset.allocation_fraction == Decimal("0.05")
    assert asset.stops.trail_fraction == Decimal("0.02")
    assert asset.stops.stop_loss_fraction == Decimal("0.015")
    assert found.approval.max_position_size == Decimal("0.08")
    assert found.protection.capital_loss_fraction == Decimal("0.1")


@pytest.mark.parametrize(
    "changes",
    [
        {"trail_pct": None},
        {"trail_pct": Decimal(0)},
        {"position_size_pct": Decimal(-5)},
        {"leverage": Decimal(0)},
    ],
)
def test_a_pair_that_cannot_be_traded_is_refused(changes: dict) -> None:
    with pytest.raises(ConfigError, match="BTC"):
        manager(pair(**changes))


def test_positions_figures_violations_and_advice_are_those_of_the_domain() -> None:
    async def trade() -> None:
        found = manager(pair(), pair("ETH"), max_position_size_pct=Decimal(6))
        await found.add_position("BTC", Decimal("0.01"), Decimal(50_000), now_ms=NOON_MS)
        await found.add_position("ETH", Decimal("0.4"), Decimal(2_000), now_ms=NOON_MS)
        gain = await found.update_position("BTC", Decimal(60_000))

        figures = found.get_portfolio_metrics()
        assert gain == figures.unrealized_pnl == 100
        assert (figures.equity, figures.deployed_capital) == (10_100, 1_300)
        assert figures.total_return_pct == 1
        broken = found.check_risk_limit_violations()
        assert [(one.limit, one.about) for one in broken] == [(DenialReason.POSITION_SIZE, "ETH")]
        assert not found.check_risk_limits()
        actions = {one.symbol: one for one in found.get_rebalance_actions()}
        assert actions["ETH"].action is Rebalance.REDUCE
        assert actions["ETH"].target_pct == 5

        trade = await found.close_position("BTC", Decimal(60_000), now_ms=NOON_MS + 1)
        assert trade is not None
        assert trade.pnl == 100
        assert await found.close_position("BTC", Decimal(60_000), now_ms=NOON_MS + 2) is None
        with pytest.raises(ConfigError, match="before the first use"):
            found.register_pair(pair("SOL"))

    asyncio.run(trade())


def test_entries_stops_and_emergencies_are_what_the_exchange_has() -> None:
    async def trade() -> None:
        with demo.simulated() as (market, account, base):
            now_ms, exchange = market.clock.now_ms, account.exchange
            began_ms = now_ms()
            config = PortfolioConfig(total_capital=Decimal(9_000))
            made = RememberingManager(config, base, now_ms=began_ms)
            trader = MultiPairOrchestrator(made, exchange, now_ms)
            demo.set_up(trader, market, base)
            await trader.check_all_entries()
            await trader.submit_coordinated_entries(max_concurrent=1)
            opened = dict(made.positions)
            assert set(opened) == {"BTC", "ETH", "SOL"}
            assert await trader.submit_coordinated_entries() == {}

            moved = await trader.handle_price_update(
                "BTC", opened["BTC"].avg_entry_price * Decimal("1.015")
            )

            assert moved is not None
            assert moved.is_moved
            for symbol, position in opened.items():
                held, pair = exchange.venue_position(symbol), trader.get_portfolio_status()
                stops = {one.symbol: one.stop_loss for one in pair.pairs}
                assert held.signed_qty == position.qty
                assert held.stop_loss == stops[symbol]

            # A level that the market is past already: closed at market, as live.
            passed = opened["SOL"].avg_entry_price * 2
            assert await trader.handle_price_update("SOL", passed) is None
            assert exchange.venue_position("SOL").signed_qty == 0
            booked = exchange.executions("SOL", began_ms)
            ended = [one for one in booked if one.side is not opened["SOL"].side]
            assert [one.client_order_id.split("-")[2] for one in ended] == ["naked"]
            assert [one.reason for one in made.ended] == [ExitReason.TRAILING_STOP]
            assert "SOL" not in made.state.paused

            await trader.emergency_liquidate_pair("BTC")
            assert exchange.venue_position("BTC").signed_qty == 0
            assert exchange.venue_position("ETH").signed_qty == opened["ETH"].qty
            await trader.emergency_liquidate_portfolio()
            assert [exchange.venue_position(s).signed_qty for s in opened] == [0, 0, 0]
            status = trader.get_portfolio_status()
            assert made.positions == {}
            assert all(one.is_paused and not one.trouble for one in status.pairs)
            assert await trader.check_all_entries() == []

    asyncio.run(trade())


def test_a_candle_more_is_as_good_as_a_longer_history() -> None:
    async def entries(history: CandleSeries, *more: Candle) -> list[Approval]:
        made = PortfolioManager(PortfolioConfig(total_capital=Decimal(9_000)), rules, now_ms=0)
        trader = MultiPairOrchestrator(made, None, lambda: 0)  # asks no exchange
        trader.register_pair(pair(), history)
        for candle in more:
            trader.handle_candle("BTC", candle)
        return await trader.check_all_entries()

    rules = replace(RULES, candles=replace(RULES.candles, warmup_candles=50))
    series = random_market(Recipe(seed=1, candles=300, assets=1))["BTC"]
    found = []
    for count in range(200, len(series)):
        before = series.until(series.candle(count - 2).close_time_ms)
        now = series.until(series.candle(count - 1).close_time_ms)
        whole = asyncio.run(entries(now))
        assert asyncio.run(entries(before, series.candle(count - 1))) == whole
        found += whole

    assert found


def test_the_demo_shows_all_six_points(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "examples.demo_multi_pair"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert found.returncode == 0, found.stderr
    starts = [line[:2] for line in found.stdout.splitlines() if line[0].isdigit()]
    assert sorted(set(starts)) == ["1.", "2.", "3.", "4.", "5.", "6."]
    assert "0 open, 3 closed" in found.stdout
