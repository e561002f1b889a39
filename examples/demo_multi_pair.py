"""Demo of the multi-pair portfolio from Python, on a simulated exchange that it starts itself.

Run: PYTHONPATH=. .venv/bin/python -m examples.demo_multi_pair
"""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from actors.multi_pair.config import PairConfig, PortfolioConfig
from actors.multi_pair.manager import PortfolioManager
from actors.multi_pair.orchestrator import MultiPairOrchestrator
from domain.rules import TradingRules
from domain.strategies.base import Evaluation, StrategySpec
from examples.own_strategy import Breakout
from infra.settings import load_settings
from infra.store.opening import open_store
from infra.venues.bybit.connection import BybitConnection, MarketConnection
from infra.venues.bybit.credentials import Credentials
from infra.venues.bybit.venues import Venue
from infra.venues.simulator.exchange import SimulatedExchange
from infra.venues.simulator.options import SimulatorOptions

PAIRS = {"BTC": "majors", "ETH": "majors", "SOL": None}
WARMUP = 50


class LongAgo(Breakout):
    """Breakouts stay valid for a day and in any regime, so that the demo need not wait for one."""

    def evaluate(self) -> Evaluation:
        """Return the same with a signal that stays fresh."""
        found = super().evaluate()
        if found.signal is None:
            return found
        (above,) = found.regime
        signal = replace(found.signal, max_age_ms=86_400_000)
        return replace(found, regime=(above._replace(holds=True),), signal=signal)


@contextmanager
def simulated() -> Iterator[tuple[MarketConnection, BybitConnection, TradingRules]]:
    """Start an exchange on loopback and yield a connection to it, with its rules."""
    settings = load_settings(None, environ={}, dotenv=None)
    rules = settings.trading_rules()
    rules = replace(rules, candles=replace(rules.candles, warmup_candles=WARMUP))
    instruments = [asset.instrument for asset in rules.assets]
    with ExitStack() as stack:
        made = SimulatorOptions(instruments=instruments, fills=rules.fills, history=700, seed=1)
        sim = stack.enter_context(SimulatedExchange(made))
        venue = Venue(
            rest_url=sim.base_url,
            public_stream_url=f"{sim.ws_url}/v5/public/linear",
            private_stream_url=f"{sim.ws_url}/v5/private",
            credentials=Credentials(api_key=sim.keys.api_key, api_secret=sim.keys.api_secret),
        )
        folder = Path(stack.enter_context(TemporaryDirectory()))
        journals = open_store(folder / "candles.sqlite", lambda: 0, busy_timeout_ms=1000)
        rng = Random()  # noqa: S311 (jitter)
        market = MarketConnection(
            venue,
            rules,
            lambda address: journals.open(address, lambda: None),
            journals.recent_candles,
            max_connections=1,
            rng=rng,
        )
        stack.enter_context(closing(market))
        account = stack.enter_context(closing(BybitConnection(market, venue, rng=rng)))
        market.measure_clock()
        prepared = account.prepare(rules)
        account.start()
        with journals.connected():
            yield market, account, prepared


async def main() -> None:
    """Show all six points, one after the other."""
    with simulated() as (market, account, base):
        config = PortfolioConfig(
            total_capital=Decimal(9_000),
            max_total_exposure_pct=Decimal(60),
            max_correlated_exposure_pct=Decimal(40),
            emergency_liquidation_loss_pct=Decimal(-10),
        )
        now_ms = market.clock.now_ms
        manager = PortfolioManager(config, base, now_ms=now_ms())
        trader = MultiPairOrchestrator(manager, account.exchange, now_ms)
        set_up(trader, market, base)
        await enter(trader)
        await trail(trader)
        advise(manager)
        await liquidate(trader)


def set_up(trader: MultiPairOrchestrator, market: MarketConnection, base: TradingRules) -> None:
    """1. Register the pairs, each with size, stops and group."""
    for symbol, group in PAIRS.items():
        pair = PairConfig(
            symbol=symbol,
            instrument=base.asset(symbol).instrument,
            strategy=StrategySpec(
                name="examples.demo_multi_pair:LongAgo", parameters={"channel_candles": 20}
            ),
            position_size_pct=Decimal(10),
            leverage=Decimal(1),
            trail_pct=Decimal(2),
            min_ratchet_pct=Decimal(1),
            correlation_group=group,
        )
        trader.register_pair(pair, market.feed.history(symbol))
    print(f"1. {len(PAIRS)} pairs: {', '.join(PAIRS)}")


async def enter(trader: MultiPairOrchestrator) -> None:
    """2. Enter what the strategies request and the limits approve, two orders at a time."""
    approved = await trader.check_all_entries()
    found = await trader.submit_coordinated_entries(max_concurrent=2)
    print(f"2. {len(approved)} entries approved:", *(f"{a} {s}" for a, s in found.items()))


async def trail(trader: MultiPairOrchestrator) -> None:
    """3. Let a price rise and fall again: the stop follows it up and stays there."""
    symbol, position = next(iter(trader.manager.positions.items()))
    for move in ("1.000", "1.005", "1.012", "1.004"):
        price = position.avg_entry_price * Decimal(move)
        stop = await trader.handle_price_update(symbol, price)
        if stop is not None:
            print(f"3. {symbol} at {price:.2f}: stop {stop.levels.stop_loss}, best {stop.best:.2f}")


def advise(manager: PortfolioManager) -> None:
    """4. and 5. Show figures, broken limits and what to rebalance."""
    found = manager.get_portfolio_metrics()
    print(f"4. equity {found.equity:.2f}, deployed {found.deployed_capital:.2f},", end=" ")
    print(f"{found.active_positions} open, limits kept: {manager.check_risk_limits()}")
    for broken in manager.check_risk_limit_violations():
        print(f"   {broken.limit} {broken.about}: {broken.now:.2f}, allowed {broken.allowed:.2f}")
    for symbol in list(manager.positions):
        manager.state.remember_price(symbol, manager.state.prices[symbol] * 2)
    for action in manager.get_rebalance_actions():
        print(f"5. at twice the price {action.symbol}: {action.action} {action.quantity}")


async def liquidate(trader: MultiPairOrchestrator) -> None:
    """6. Close one pair, then everything."""
    first = next(iter(trader.manager.positions))
    trade = await trader.emergency_liquidate_pair(first)
    print(f"6. {first} closed: {'-' if trade is None else f'{trade.pnl:.2f} USDT'}")
    trades = await trader.emergency_liquidate_portfolio()
    print("6. all closed:", *(symbol for symbol, one in trades.items() if one is not None))
    status = trader.get_portfolio_status()
    print(f"   {status.figures.active_positions} open, {status.figures.closed_positions} closed")
    for pair in status.pairs:
        if pair.trouble:
            print(f"   {pair.symbol}: {pair.trouble}")


if __name__ == "__main__":
    asyncio.run(main())
