"""What a paper position meets while nobody hears a price, at a simulated exchange's market."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from domain.market.instruments import HOUR_MS, Candle, Side, exact
from domain.trading.orders import ExitReason, OrderRequest
from domain.trading.positions import Execution, ExecutionKind
from infra.net.server_clock import ServerClock
from infra.venues.bybit.limits import bybit_limiter
from infra.venues.bybit.rest import BybitRest
from infra.venues.paper.account import PaperAccount
from infra.venues.paper.exchange import PaperExchange
from infra.venues.paper.memory import Memory
from infra.venues.paper.offline_catch_up import OfflineCatchUp
from tests.venues.simulator.clients import BTC, RULES, Client, running

CANDLE_MS = RULES.candles.candle_ms
FAR, NEAR = Decimal(2), Decimal("1.002")
SLIPPED = 1 + RULES.fills.slippage_fraction


@pytest.fixture(scope="module")
def market() -> Iterator[Client]:
    with running(speed=1, history=300) as client:
        yield client


@pytest.fixture
def rest(market: Client) -> Iterator[BybitRest]:
    made = BybitRest(
        None, market.sim.base_url, limiter=bybit_limiter(), clock=ServerClock(), rng=Random(1)
    )
    made.sync_clock()
    yield made
    made.close()


def candles(rest: BybitRest) -> tuple[Candle, ...]:
    now_ms = rest.clock.now_ms()
    return rest.kline(BTC, now_ms - 280 * CANDLE_MS, now_ms, candle_ms=CANDLE_MS)


class Away:
    """A short that was opened with a candle, and left alone."""

    def __init__(self, folder: Path, rest: BybitRest, entry: Candle, stop: Decimal) -> None:
        price = exact(entry.open)
        self.stop_loss = price * stop
        self.account = PaperAccount(RULES, Memory(folder / "paper.state"))
        self.account.submit(
            OrderRequest(
                client_order_id="entry",
                asset="BTC",
                side=Side.SELL,
                qty=Decimal("0.01"),
                reduce_only=False,
                stop_loss=self.stop_loss,
                take_profit=price / 2,
            ),
            price,
            entry.open_time_ms + 2_000,
        )
        now_ms = rest.clock.now_ms
        self.exchange = PaperExchange(self.account, rest, symbols={"BTC": BTC}, now_ms=now_ms)
        self.unseen = OfflineCatchUp(
            self.account,
            self.exchange,
            rest,
            symbols={"BTC": BTC},
            candle_ms=CANDLE_MS,
            funding_interval_ms={"BTC": 8 * HOUR_MS},
            now_ms=now_ms,
        )

    def since_entry(self) -> list[Execution]:
        return list(self.exchange.executions("BTC", 0))[1:]


def test_a_stop_that_was_passed_meanwhile_is_filled_at_its_candle(
    tmp_path: Path, rest: BybitRest
) -> None:
    found = candles(rest)
    lowest = min(range(len(found) - 100), key=lambda place: found[place].open)
    here = Away(tmp_path, rest, found[lowest], NEAR)
    hit = next(c for c in found[lowest:] if exact(c.high) >= here.stop_loss)

    here.unseen.look("BTC")

    closes = [e for e in here.since_entry() if e.kind is ExecutionKind.TRADE]
    assert [(e.reason, e.ts_ms) for e in closes] == [(ExitReason.STOP_LOSS, hit.close_time_ms)]
    assert closes[0].price == max(here.stop_loss, exact(hit.open)) * SLIPPED
    assert here.account.position("BTC") is None


def test_funding_is_settled_once_for_each_time_that_was_missed(
    tmp_path: Path, rest: BybitRest
) -> None:
    found = candles(rest)
    here = Away(tmp_path, rest, found[0], FAR)
    due = [c for c in found[1:] if c.open_time_ms % (8 * HOUR_MS) == 0]

    here.unseen.look("BTC")
    here.unseen.look("BTC")

    assert len(due) >= 2
    assert [e.ts_ms for e in here.since_entry()] == [c.open_time_ms for c in due]
    assert all(e.kind is ExecutionKind.FUNDING for e in here.since_entry())
    rate = RULES.fills.funding.rate
    assert [e.funding for e in here.since_entry()] == [
        Decimal("0.01") * exact(before.close) * rate
        for before in found
        if before.close_time_ms in {c.open_time_ms for c in due}
    ]


def test_a_position_that_is_watched_from_its_opening_meets_no_candle(
    tmp_path: Path, rest: BybitRest
) -> None:
    found = candles(rest)
    lowest = min(range(len(found) - 100), key=lambda place: found[place].open)
    here = Away(tmp_path, rest, found[lowest], NEAR)
    here.unseen.on_connected("BTC")
    watched = OfflineCatchUp(
        PaperAccount(RULES, Memory(tmp_path / "another.state")),
        here.exchange,
        rest,
        symbols={"BTC": BTC},
        candle_ms=CANDLE_MS,
        funding_interval_ms={"BTC": 1_000 * HOUR_MS},
        now_ms=rest.clock.now_ms,
    )

    watched.look("BTC")
    assert here.account.position("BTC") is not None

    watched.on_lost("BTC")
    watched.look("BTC")
    assert here.account.position("BTC") is not None
