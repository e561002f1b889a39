"""A simulated exchange in lock-step, from the client's side: time moves when the system is idle.

Idleness is established, not timed: the exchange answers a step once every client has processed all
that it was sent, and refuses to move if anything was sent since its last answer.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import websocket

from domain.errors import UnavailableError
from domain.market.candles import CandleSeries
from infra.net.rate_limiter import Limiter, Rate
from infra.net.server_clock import ServerClock
from infra.venues.bybit.connection import Pace
from infra.venues.bybit.limits import Kind
from infra.venues.bybit.private_stream import TOPICS
from infra.venues.replay.clock import ReplayClock
from infra.venues.replay.lockstep import WaitQuiet

_ANSWER_S = 120.0
"""Real time within which a step must be answered, including the subscriptions before the first."""
_UNLIMITED = Rate(requests=1_000_000, per_s=1.0)


class SteppedClock(ReplayClock):
    """The trading clock, moved to each event of the exchange before it happens."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


class SteppedServerClock(ServerClock):
    """The exchange's time, which stands still between two steps."""

    def __init__(self, clock: SteppedClock) -> None:
        """Show the time of the trading clock."""
        super().__init__()
        self._clock = clock

    def now_ms(self) -> int:
        """Return the exchange's time, ms since 1970 UTC."""
        return self._clock.now_ms()

    def learn(self, *, asked_s: float, answered_s: float, server_ms: float) -> None:  # noqa: ARG002
        """Take the exchange's current time."""
        self._clock.step(int(server_ms))

    @property
    def is_usable(self) -> bool:
        """It is always exact."""
        return True

    @property
    def is_fresh(self) -> bool:
        """It never gets stale."""
        return True


class CountingLimiter(Limiter[Kind]):
    """No limits, but a count of requests: an exchange in lock-step reacts to nothing else."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(Kind, _UNLIMITED))
        self._counting = threading.Lock()
        self.requests = 0

    def wait(self, kind: Kind, *, at_most_s: float) -> None:
        """Count a request that is about to be sent."""
        with self._counting:
            self.requests += 1
        super().wait(kind, at_most_s=at_most_s)


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What the stepper moves and observes."""

    clock: SteppedClock = field(default_factory=lambda: SteppedClock(0))
    limiter: CountingLimiter = field(default_factory=CountingLimiter)

    def pace(self) -> Pace:
        """Return the pace of a stepped connection."""
        return Pace(
            clock=self.clock, server_clock=SteppedServerClock(self.clock), limiter=self.limiter
        )


class Stepper:
    """Moves the time of a simulated exchange, and with it the system's."""

    def __init__(
        self,
        base_url: str,
        steps: Steps,
        topics: Sequence[str],
        candles: Mapping[str, CandleSeries],
    ) -> None:
        """Connect.

        Args:
            base_url: of the exchange, http.
            steps: clock and requests of the system.
            topics: public ones; time moves only while they, and the account's, are subscribed.
            candles: what the exchange plays, by asset.

        Raises:
            UnavailableError: there is no such exchange.
        """
        self.candles = candles
        self._clock, self._limiter = steps.clock, steps.limiter
        self._settled = -1
        """Number of requests when all their consequences had last been processed."""
        host = base_url.partition("://")[2]
        url = f"ws://{host}/sim/steps?topics={','.join([*topics, *TOPICS])}"
        try:
            self._socket = websocket.create_connection(
                url, timeout=_ANSWER_S, skip_utf8_validation=True
            )
        except (OSError, websocket.WebSocketException) as error:
            raise UnavailableError(f"the simulated exchange cannot be stepped: {error}") from error

    def steps(self, wait_quiet: WaitQuiet) -> Iterator[tuple[int, int]]:
        """Yield each played close and the number of its candles.

        The first is the newest close played before, with all earlier candles. Ends early if the
        run is to end.

        Raises:
            UnavailableError: the exchange does not answer.
        """
        state = self._ask("settle")
        now_ms = state["time_ms"]
        yield now_ms, sum(len(series.until(now_ms)) for series in self.candles.values())
        while self._is_calm(wait_quiet) and not state["over"]:
            if state["closed"]:
                yield state["time_ms"], len(self.candles)
            if not self._let_pass(state["next_ms"], wait_quiet):
                return
            state = self._ask("move")

    def close(self) -> None:
        """Disconnect from the exchange."""
        self._socket.shutdown()  # type: ignore[no-untyped-call]

    def _let_pass(self, until_ms: int, wait_quiet: WaitQuiet) -> bool:
        """Make the calls due before the next event, and move the clock to its time."""
        while self._clock.step(until_ms):
            if not self._is_calm(wait_quiet):
                return False
        return True

    def _is_calm(self, wait_quiet: WaitQuiet) -> bool:
        """Wait until nothing has work left, or will get any from requests to the exchange."""
        while wait_quiet():
            sent = self._limiter.requests
            if sent == self._settled:
                return True
            self._ask("settle")
            self._settled = sent
        return False

    def _ask(self, what: str) -> Any:
        try:
            self._socket.send(what)
            return orjson.loads(self._socket.recv())
        except (OSError, websocket.WebSocketException, orjson.JSONDecodeError) as error:
            raise UnavailableError(f"the simulated exchange does not step: {error}") from error
