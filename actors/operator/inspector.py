"""What whoever watches the system is told of its actors, in one value."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from typing import Any

from actors.runtime import Runtime
from domain.operator.system import ActorState, SystemSnapshot
from domain.portfolio.snapshots import AssetSnapshot, ExecutionSnapshot, PortfolioSnapshot

_RUNNING = "RUNNING"


class Inspector:
    """Asks the actors for their snapshots; one that has not answered is not asked again."""

    def __init__(self, runtime: Runtime) -> None:
        """Ask nobody yet."""
        self._runtime = runtime
        self._open: dict[str, Future[Any]] = {}
        self._assets: dict[str, AssetSnapshot] = {}
        self._executions: dict[str, ExecutionSnapshot] = {}
        """The newest answers, by asset."""
        self._portfolio: PortfolioSnapshot | None = None
        """None where it did not answer this time."""

    def snapshot(self, timeout_s: float) -> SystemSnapshot:
        """Return the system with the answers that come in time, or came since the look before."""
        self._ask(timeout_s)
        return SystemSnapshot(
            actors=tuple(self._actors()),
            dead_letters=self._runtime.system.dead_letter_count,
            portfolio=self._portfolio,
            assets=dict(self._assets),
            executions=dict(self._executions),
        )

    def _ask(self, timeout_s: float) -> None:
        self._portfolio = None
        for address in self._runtime.describable():
            if address not in self._open:
                self._open[address] = self._runtime.question(address)
        done, _ = wait(self._open.values(), timeout_s)
        for address, future in list(self._open.items()):
            if future in done:
                del self._open[address]
                if future.exception() is None:
                    self._take(future.result())

    def _actors(self) -> Iterator[ActorState]:
        now_ns = time.perf_counter_ns()
        for child in self._runtime.supervisor.children():
            mailbox = child.address.mailbox
            sent_ns = mailbox.oldest_sent_ns()
            yield ActorState(
                address=child.spec.address,
                is_running=child.status == _RUNNING,
                is_given_up=child.given_up_because is not None,
                restarts=child.restarts,
                depth=mailbox.depth,
                oldest_s=0.0 if sent_ns is None else max(0.0, (now_ns - sent_ns) / 1e9),
            )

    def _take(self, snapshot: Any) -> None:
        if isinstance(snapshot, PortfolioSnapshot):
            self._portfolio = snapshot
        elif isinstance(snapshot, AssetSnapshot):
            self._assets[snapshot.asset] = snapshot
        elif isinstance(snapshot, ExecutionSnapshot):
            self._executions[snapshot.asset] = snapshot
