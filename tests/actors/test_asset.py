"""The asset actor before a feed that does not always answer."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

import numpy as np
import pytest

from actors.asset import FETCH_AGAIN_MS, STORE_AFTER_MS, AssetActor
from actors.core.actor import Incarnation, SupervisedActor
from actors.core.messages import Message
from actors.core.supervisor import ChildSpec, RestartPolicy, Supervisor
from actors.core.system import ActorSystem
from actors.messages import (
    AssetReported,
    ClosePosition,
    ConnectionLost,
    ConnectionRestored,
    PositionChanged,
)
from domain.errors import AccessDeniedError, BadDataError, UnavailableError
from domain.market.candles import CandleSeries, carry_forward
from domain.market.instruments import DAY_MS, Candle, Side
from domain.rules import TradingRules
from domain.trading.positions import Execution, ExecutionKind
from infra.settings import load_settings
from infra.store.opening import open_store
from infra.venues.replay.clock import ReplayClock

START_MS = 1_744_802_400_000
CANDLE_MS = 300_000
RULES = load_settings(None, environ={}, dotenv=None).trading_rules()


class Listener(SupervisedActor):
    """Remembers what it hears."""

    def __init__(self, incarnation: Incarnation, *, heard: list[Message]) -> None:
        super().__init__(incarnation)
        self._heard = heard

    def handle(self, message: Message) -> None:
        self._heard.append(message)


class FakeFeed:
    """Some candles, and an exchange that can be down."""

    def __init__(self) -> None:
        self.count = 3
        self.is_down = False
        self.error: Exception = UnavailableError("the exchange does not answer")
        self.accepted: list[Candle] = []
        self.stored: list[Candle] = []
        self.before_store: Callable[[], None] = lambda: None
        self.on_candle: Callable[[Candle], None] = lambda _candle: None
        self.on_connected: Callable[[], None] = lambda: None
        self.on_lost: Callable[[str], None] = lambda _reason: None

    def history(self, _asset: str) -> CandleSeries:
        if self.is_down:
            raise self.error
        prices = np.full(self.count, 100.0)
        return carry_forward(
            open_time_ms=START_MS + np.arange(self.count, dtype=np.int64) * CANDLE_MS,
            open=prices,
            high=prices,
            low=prices,
            close=prices,
            volume=prices,
            candle_ms=CANDLE_MS,
        )

    def accept(self, _asset: str, candle: Candle) -> bool:
        self.accepted.append(candle)
        return True

    def store(self, _asset: str) -> None:
        self.before_store()
        self.stored = list(self.accepted)

    def subscribe(
        self,
        _asset: str,
        on_candle: Callable[[Candle], None],
        on_connected: Callable[[], None],
        on_lost: Callable[[str], None],
    ) -> "FakeFeed":
        self.on_candle, self.on_connected, self.on_lost = on_candle, on_connected, on_lost
        return self

    def close(self) -> None:
        return

    def candle(self, place: int) -> Candle:
        open_ms = START_MS + place * CANDLE_MS
        return Candle(
            open_time_ms=open_ms,
            close_time_ms=open_ms + CANDLE_MS,
            open=100.0,
            high=100.0,
            low=100.0,
            close=100.0,
            volume=1.0,
        )


class Desk:
    """An asset actor at a feed, and what it reports."""

    def __init__(self, folder: Path, feed: FakeFeed, rules: TradingRules = RULES) -> None:
        self.feed = feed
        self.clock = ReplayClock(START_MS + 3 * CANDLE_MS)
        self.heard: list[Message] = []
        self.people_heard: list[Message] = []
        self.ordered: list[Message] = []
        journals = open_store(folder / "j.sqlite", self.clock.now_ms, busy_timeout_ms=5000)
        self.system = ActorSystem(self.clock.now_ms)
        policy = RestartPolicy(
            max_restarts=0,
            within_s=60,
            backoff_initial_s=0.001,
            backoff_max_s=0.001,
            backoff_jitter_fraction=0,
            hang_s=60,
            start_s=60,
        )
        self.supervisor = Supervisor(self.system, policy, Random(0))
        arguments = {
            "asset": "BTC",
            "rules": rules,
            "feed": feed,
            "clock": self.clock,
            "journals": journals,
        }
        listener = {"heard": self.heard}
        self.supervisor.start(
            [
                ChildSpec(address="portfolio", actor=Listener, arguments=listener),
                ChildSpec(
                    address="notifier", actor=Listener, arguments={"heard": self.people_heard}
                ),
                ChildSpec(
                    address="execution/BTC", actor=Listener, arguments={"heard": self.ordered}
                ),
                ChildSpec(address="asset/BTC", actor=AssetActor, arguments=arguments),
            ]
        )
        self.settle()

    def settle(self) -> None:
        assert self.system.work.wait_quiet(30)

    def reported(self) -> list[int]:
        """Return the closes reported, in candles from the start."""
        reports = [m.report for m in self.heard if isinstance(m, AssetReported)]
        return [(report.t_ms - START_MS) // CANDLE_MS for report in reports]


@pytest.mark.parametrize(
    "error",
    [UnavailableError("down"), AccessDeniedError("10003 API key"), BadDataError("garbage")],
    ids=lambda error: type(error).__name__,
)
def test_candles_that_could_not_be_fetched_at_the_start_are_asked_for_again(
    tmp_path: Path, error: Exception
) -> None:
    feed = FakeFeed()
    feed.is_down, feed.error = True, error
    desk = Desk(tmp_path, feed)
    assert desk.reported() == []

    feed.is_down = False
    while desk.clock.step(desk.clock.now_ms() + FETCH_AGAIN_MS):
        desk.settle()

    assert desk.reported() == [3]
    assert desk.supervisor.children()[-1].generation == 1
    desk.supervisor.stop(10)


def test_a_gap_is_filled_before_anything_newer_and_only_the_newest_is_decided(
    tmp_path: Path,
) -> None:
    feed = FakeFeed()
    desk = Desk(tmp_path, feed)
    feed.count = 6

    feed.on_candle(feed.candle(5))
    desk.settle()

    assert desk.reported() == [3, 6]
    assert feed.accepted == []
    desk.supervisor.stop(10)


def test_the_next_candle_is_kept_and_decided_and_its_repeat_changes_nothing(
    tmp_path: Path,
) -> None:
    feed = FakeFeed()
    desk = Desk(tmp_path, feed)

    for _ in range(2):
        feed.on_candle(feed.candle(3))
    feed.on_candle(feed.candle(1))
    desk.settle()

    assert desk.reported() == [3, 4]
    assert feed.accepted == [feed.candle(3)]
    desk.supervisor.stop(10)


def test_candles_missed_while_the_feed_was_lost_are_fetched_when_it_works_again(
    tmp_path: Path,
) -> None:
    feed = FakeFeed()
    desk = Desk(tmp_path, feed)
    feed.on_connected()
    desk.settle()
    assert desk.reported() == [3]

    feed.count = 8
    feed.on_lost("closed by the other side")
    feed.on_lost("no answer")
    desk.settle()
    desk.clock.step(desk.clock.now_ms() + 17_000)
    feed.on_connected()
    desk.settle()

    assert desk.reported() == [3, 8]
    assert [
        m for m in desk.people_heard if isinstance(m, (ConnectionLost, ConnectionRestored))
    ] == [
        ConnectionLost(asset="BTC", what="feed", detail="closed by the other side"),
        ConnectionRestored(asset="BTC", what="feed", down_ms=17_000, candles=5),
    ]
    desk.supervisor.stop(10)


def test_a_candle_is_stored_once_what_it_led_to_is_on_its_way(tmp_path: Path) -> None:
    feed = FakeFeed()
    desk = Desk(tmp_path, feed)

    feed.on_candle(feed.candle(3))
    desk.settle()
    assert (desk.reported(), feed.stored) == ([3, 4], [])

    assert desk.clock.step(desk.clock.now_ms() + STORE_AFTER_MS)
    desk.settle()
    assert feed.stored == [feed.candle(3)]
    desk.supervisor.stop(10)


def test_a_candle_that_leads_to_an_exit_is_stored_before_the_exit_leaves(tmp_path: Path) -> None:
    feed = FakeFeed()
    desk = Desk(tmp_path, feed, replace(RULES, candles=replace(RULES.candles, warmup_candles=1)))
    opened = Execution(
        exec_id="1",
        asset="BTC",
        ts_ms=START_MS - 2 * DAY_MS,
        kind=ExecutionKind.TRADE,
        side=Side.SELL,
        qty=Decimal("0.1"),
        price=Decimal(100),
        client_order_id="BTC-1-ENTRY-1",
        decided_ms=START_MS - 2 * DAY_MS,
    )
    desk.system.address("asset/BTC").tell(
        PositionChanged(fact_id=1, execution=opened), sender="execution/BTC"
    )
    desk.settle()
    ordered: list[int] = []
    feed.before_store = lambda: ordered.append(len(desk.ordered))

    feed.on_candle(feed.candle(3))
    desk.settle()

    assert ordered == [0]
    assert feed.stored == [feed.candle(3)]
    assert isinstance(desk.ordered[0], ClosePosition)
    desk.supervisor.stop(10)


def test_a_life_that_ends_stores_the_candle_that_was_to_be_stored_in_a_while(
    tmp_path: Path,
) -> None:
    feed = FakeFeed()
    desk = Desk(tmp_path, feed)

    feed.on_candle(feed.candle(3))
    desk.settle()
    desk.supervisor.stop(10)

    assert feed.stored == [feed.candle(3)]
