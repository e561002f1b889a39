"""Requests of one process to the exchange: the real client, but the wire is played.

A request travels, is done, and its answer travels back; each takes its time, and each may go wrong.
Whoever asked may be gone by then: a request that has left arrives all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from infra.net.rate_limiter import Limiter
from infra.net.server_clock import ServerClock
from infra.venues.bybit.credentials import Credentials
from infra.venues.bybit.endpoints.account import AccountCalls
from infra.venues.bybit.endpoints.market import MarketCalls
from infra.venues.bybit.endpoints.orders import OrderCalls
from infra.venues.bybit.endpoints.positions import PositionCalls
from infra.venues.bybit.http.client import PATIENCE
from infra.venues.bybit.http.outcome import Answer, NoResponse
from infra.venues.bybit.http.send_fence import SendFence
from infra.venues.bybit.http.transport import Call, RestTransport
from infra.venues.bybit.limits import BYBIT_RATES
from tests.simulation.exchange import Exchange
from tests.simulation.faults import Fate, Misfortune
from tests.simulation.scheduler import Process, Scheduler

KEY = Credentials(api_key="simulated-key", api_secret="simulated-secret")
_PUBLIC = "/v5/market/"


class PlayedRest(MarketCalls, OrderCalls, PositionCalls, AccountCalls):
    """The account's real calls over a played wire."""

    def __init__(self, wire: "PlayedTransport") -> None:
        super().__init__(wire)
        self.clock, self.keys = wire.clock, wire.keys


class _Catcher:
    """Stands for pybit's client: says what it would have sent."""

    endpoint = ""

    @staticmethod
    def _submit_request(
        *, method: str, path: str, query: Mapping[str, Any] | None = None, **_: Any
    ) -> tuple[str, str, Mapping[str, Any]]:
        return method, path, query or {}


_CATCHER = _Catcher()


@dataclass(slots=True)
class _Lane:
    """What a request is sent by."""

    answer_s: float


class _Local:
    """What belongs to the loop that runs, as `threading.local` is to threads."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.__dict__["_scheduler"] = scheduler

    def __getattr__(self, name: str) -> Any:
        try:
            return vars(self._scheduler.task)[f"local {name}"]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self._scheduler.task)[f"local {name}"] = value


class _Lock:
    """A lock that loops wait for."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._is_held = False

    def acquire(self, timeout: float) -> bool:
        """Take it, or wait for it for a while in vain."""
        if self._is_held:
            self._scheduler.sleep(timeout)
        was_held, self._is_held = self._is_held, True
        return not was_held

    def release(self) -> None:
        """Give it back."""
        self._is_held = False


class PlayedTransport(RestTransport):
    """One process's requests."""

    def __init__(
        self,
        scheduler: Scheduler,
        process: Process,
        exchange: Exchange,
        misfortune: Misfortune,
        clock: ServerClock,
        rng: Random,
    ) -> None:
        super().__init__(
            KEY,
            "",
            limiter=Limiter(BYBIT_RATES, monotonic_s=scheduler.now_s, sleep=scheduler.sleep),
            clock=clock,
            rng=rng,
            patience=PATIENCE,
            monotonic_s=scheduler.now_s,
            sleep=scheduler.sleep,
            ssl_context=None,
        )
        self._local = _Local(scheduler)  # type: ignore[assignment]
        self._measuring = _Lock(scheduler)  # type: ignore[assignment]
        self._scheduler = scheduler
        self._process = process
        self._exchange = exchange
        self._misfortune = misfortune

    def _client(self, deadline_s: float | None) -> Any:
        left_s = self._patience.answer_s
        if deadline_s is not None:
            left_s = min(left_s, max(deadline_s - self._scheduler.now_s(), 0.1))
        return _Lane(left_s)

    def _outcome(  # type: ignore[override]
        self, client: _Lane, call: Call, query: Mapping[str, object], departure: SendFence
    ) -> Answer | NoResponse:
        method, path, asked = call(_CATCHER, **query)  # type: ignore[misc]
        is_public = path.startswith(_PUBLIC)
        sent_ms = None if is_public else self.clock.now_ms()
        departure.check()
        if sent_ms is not None:
            departure.dead_after_ms = sent_ms + self._patience.recv_window_ms
        fate = self._misfortune.of_request(method, path)
        self._misfortune.at("request", path, "before")
        self._scheduler.sleep(fate.connect_s)  # the answer of others may come first
        departure.leave()
        outcome = self._travel(client, fate, path, asked, sent_ms)
        self._misfortune.hold(method, path)
        return outcome

    def _travel(
        self,
        client: _Lane,
        fate: Fate,
        path: str,
        asked: Mapping[str, Any],
        sent_ms: int | None,
    ) -> Answer | NoResponse:
        found: list[Answer | NoResponse] = []
        task = self._scheduler.task

        def arrive() -> None:
            made = self._done(fate, path, asked, sent_ms)
            self._scheduler.call_in(fate.back_s, lambda: come_back(made))

        def come_back(made: Answer | NoResponse) -> None:
            found.append(made)
            self._scheduler.wake(task)

        if not fate.is_lost:
            self._scheduler.call_in(fate.out_s, arrive)
        patience_s = client.answer_s
        if fate.reset_s is not None:
            patience_s = min(patience_s, fate.reset_s)
        is_there = self._scheduler.wait(lambda: bool(found), patience_s)
        self._misfortune.at("request", path, "after")
        return found[0] if is_there else NoResponse(why="the connection broke, or nobody answered")

    def _done(
        self, fate: Fate, path: str, asked: Mapping[str, Any], sent_ms: int | None
    ) -> Answer | NoResponse:
        if fate.status is not None and not fate.is_processed:
            return NoResponse(why=f"HTTP status {fate.status}", status=fate.status)
        if fate.code is not None and not fate.is_processed:
            return self._envelope(fate.code, "System error. Please try again later.", {})
        code, text, result = self._exchange.answer(path, asked, sent_ms)
        if fate.is_cut:
            return NoResponse(why="connection reset")
        if fate.status is not None:
            return NoResponse(why=f"HTTP status {fate.status}", status=fate.status)
        if fate.code is not None:
            return self._envelope(fate.code, "System error. Please try again later.", {})
        return self._envelope(code, text, result)

    def _envelope(self, code: int, text: str, result: Any) -> Answer:
        now_ms = self._exchange.now_ms()
        return Answer(code=code, text=text, result=result, time_ms=now_ms, reset_ms=None)
