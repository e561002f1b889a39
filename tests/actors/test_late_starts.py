"""A start that hung, was replaced, and goes on late takes no news away from its successor."""

import threading
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from actors.asset import AssetActor
from actors.core.actor import SupervisedActor
from actors.core.messages import Ping
from actors.core.supervisor import ChildSpec, RestartPolicy, Supervisor
from actors.core.system import ActorSystem
from actors.execution.actor import ExecutionActor
from infra.store.opening import open_store
from infra.venues.replay.clock import ReplayClock
from infra.venues.replay.subscribers import Seat, Subscribers
from tests.actors.test_asset import RULES, START_MS, FakeFeed
from tests.actors.test_execution import FakeExchange

PATIENCE_S = 20.0
POLICY = RestartPolicy(
    max_restarts=1_000,
    within_s=600,
    backoff_initial_s=0.001,
    backoff_max_s=0.001,
    backoff_jitter_fraction=0,
    hang_s=60,
    start_s=1.0,
)


class SlowJournals:
    """The journal, whose first opening takes longer than a start may."""

    def __init__(self, journals: Any) -> None:
        self.is_open, self.may_go_on = threading.Event(), threading.Event()
        self._journals = journals

    def open(self, *arguments: Any) -> Any:
        journal = self._journals.open(*arguments)
        if not self.is_open.is_set():
            self.is_open.set()
            assert self.may_go_on.wait(PATIENCE_S)
        return journal


class HeardFeed(FakeFeed):
    """A feed with one listener: the newest."""

    def __init__(self, subscribers: Subscribers[Any]) -> None:
        super().__init__()
        self._subscribers = subscribers

    def subscribe(self, asset: str, *listeners: Any) -> Seat:  # type: ignore[override]
        return self._subscribers.add(asset, listeners)


class HeardExchange(FakeExchange):
    """An exchange with one listener: the newest."""

    def __init__(self, subscribers: Subscribers[Any]) -> None:
        super().__init__()
        self._subscribers = subscribers

    def subscribe(self, asset: str, listener: object) -> Seat:  # type: ignore[override]
        return self._subscribers.add(asset, listener)


@pytest.mark.parametrize(
    ("actor", "port", "outside"),
    [(AssetActor, "feed", HeardFeed), (ExecutionActor, "exchange", HeardExchange)],
)
def test_the_successor_of_a_start_that_goes_on_late_still_hears(
    tmp_path: Path, actor: type[SupervisedActor], port: str, outside: type[Any]
) -> None:
    clock, subscribers = ReplayClock(START_MS + 900_000), Subscribers[Any]()
    store = open_store(tmp_path / "j.sqlite", clock.now_ms, busy_timeout_ms=5000)
    journals = SlowJournals(store)
    arguments: Mapping[str, Any] = {
        "asset": "BTC",
        "rules": RULES,
        "clock": clock,
        "journals": journals,
        port: outside(subscribers),
    }
    system = ActorSystem(clock.now_ms)
    supervisor = Supervisor(system, POLICY, Random(0))
    try:
        supervisor.start([ChildSpec(address="it", actor=actor, arguments=arguments)])
        first = supervisor.children()[0].incarnation
        system.address("it").ask(Ping(), sender="test", timeout_s=PATIENCE_S)
        listener = subscribers.get("BTC")

        journals.may_go_on.set()

        assert first is not None
        assert first.ended.wait(PATIENCE_S)
        assert listener is not None
        assert subscribers.get("BTC") is listener
    finally:
        journals.may_go_on.set()
        assert supervisor.stop(PATIENCE_S) == []
