"""Collects the state of the system in one value, shared by all who watch it."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any

from actors.core.supervisor import Child
from actors.operator.meter import Meter
from actors.runtime import Runtime
from domain.operator.system import ActorState, FeedState, SystemSnapshot, VenueLink
from domain.portfolio.performance import Performances
from domain.portfolio.snapshots import AssetSnapshot, ExecutionSnapshot, PortfolioSnapshot

_RUNNING = "RUNNING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Parts of a snapshot that no actor knows; see `SystemSnapshot`."""

    feeds: Mapping[str, FeedState] = field(default_factory=dict)
    links: Mapping[str, VenueLink] = field(default_factory=dict)
    performance: Performances = field(default_factory=Performances)
    unknown_orders: int = 0
    troubles: Mapping[str, str] = field(default_factory=dict)
    health: Mapping[str, str] = field(default_factory=dict)


class Inspector:
    """Asks the actors for their snapshots; one that has not answered yet is not asked again.

    Thread-safe; simultaneous callers share one snapshot.
    """

    def __init__(self, runtime: Runtime, meter: Meter | None = None) -> None:
        """Prepare the inspector; nothing is asked yet.

        Args:
            runtime: the actors.
            meter: counts their messages; None: nothing does.
        """
        self._runtime = runtime
        self._meter = meter
        self.look_around: Callable[[], Surroundings] = Surroundings
        """Returns what is known outside the actors."""
        self._lock = threading.Lock()
        self._open: dict[str, Future[Any]] = {}
        self._assets: dict[str, AssetSnapshot] = {}
        self._executions: dict[str, ExecutionSnapshot] = {}
        """The newest answers, by asset."""
        self._portfolio: PortfolioSnapshot | None = None
        """None if it did not answer this time."""
        self._newest: SystemSnapshot | None = None
        self._looked_s = 0.0
        """Monotonic."""

    def snapshot(self, timeout_s: float, max_age_s: float = 0.0) -> SystemSnapshot:
        """Return the system with the answers that arrive in time, or arrived since the last call.

        Args:
            timeout_s: how long to wait for answers.
            max_age_s: a snapshot that is not older is reused.
        """
        with self._lock:
            if self._newest is not None and time.monotonic() - self._looked_s <= max_age_s:
                return self._newest
            self._newest = self._look(timeout_s)
            self._looked_s = time.monotonic()
            return self._newest

    def _look(self, timeout_s: float) -> SystemSnapshot:
        self._ask(timeout_s)
        runtime, around = self._runtime, self.look_around()
        traded = [rules.asset for rules in runtime.rules.assets]
        return SystemSnapshot(
            actors=tuple(self._actors()),
            dead_letters=runtime.system.dead_letter_count,
            set_aside=len(runtime.system.dead_letters),
            portfolio=valued(self._portfolio, around.feeds),
            assets={name: self._assets[name] for name in traded if name in self._assets},
            executions={
                name: self._executions[name] for name in traded if name in self._executions
            },
            mode=runtime.info.mode,
            account=runtime.info.account,
            started_ms=runtime.info.started_ms,
            now_ms=runtime.clock.now_ms(),
            machine_ms=time.time_ns() // 1_000_000,
            feeds=around.feeds,
            links=around.links,
            performance=around.performance,
            unknown_orders=around.unknown_orders,
            troubles=around.troubles,
            health=around.health,
        )

    def _ask(self, timeout_s: float) -> None:
        self._portfolio = None
        # Answers that arrived since the last call may predate later changes.
        self._take_answers()
        for address in self._runtime.describable():
            if address not in self._open:
                self._open[address] = self._runtime.question(address)
        wait(self._open.values(), timeout_s)
        self._take_answers()

    def _take_answers(self) -> None:
        for address, future in list(self._open.items()):
            if future.done():
                del self._open[address]
                if future.exception() is None:
                    self._take(future.result())

    def _actors(self) -> Iterator[ActorState]:
        now_ns = time.perf_counter_ns()
        for child in self._runtime.supervisor.children():
            yield self._actor(child, now_ns)

    def _actor(self, child: Child, now_ns: int) -> ActorState:
        mailbox, address = child.address.mailbox, child.spec.address
        sent_ns = mailbox.oldest_sent_ns()
        meter = self._meter
        latency_ms = None if meter is None else meter.latency_ms(address)
        report = child.reports[-1] if child.reports else None
        return ActorState(
            address=address,
            is_running=child.status == _RUNNING,
            is_given_up=child.given_up_because is not None,
            restarts=child.restarts,
            depth=mailbox.depth,
            oldest_s=0.0 if sent_ns is None else max(0.0, (now_ns - sent_ns) / 1e9),
            status=str(child.status),
            generation=child.generation,
            last_failure=child.given_up_because or ("" if report is None else report.cause),
            crash_id="" if report is None else report.crash_id,
            handled=0 if meter is None else meter.handled(address),
            p50_ms=None if latency_ms is None else latency_ms[0],
            p99_ms=None if latency_ms is None else latency_ms[1],
        )

    def _take(self, snapshot: Any) -> None:
        if isinstance(snapshot, PortfolioSnapshot):
            self._portfolio = snapshot
        elif isinstance(snapshot, AssetSnapshot):
            self._assets[snapshot.asset] = snapshot
        elif isinstance(snapshot, ExecutionSnapshot):
            self._executions[snapshot.asset] = snapshot


def valued(
    portfolio: PortfolioSnapshot | None, feeds: Mapping[str, FeedState]
) -> PortfolioSnapshot | None:
    """Value positions at the prices shown with them."""
    if portfolio is None:
        return None
    known = ((asset, feed.price) for asset, feed in feeds.items())
    return portfolio.at({asset: price for asset, price in known if price is not None})
