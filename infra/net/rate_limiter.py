"""Keeps a venue's rate limits, so that the venue need not enforce them.

Each kind of request has a window of its own, so that a close never waits behind reads or entries.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from infra.net.errors import UnansweredError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most so many requests in any period of so many seconds."""

    requests: int
    per_s: float


Kind = TypeVar("Kind", bound=StrEnum)
"""The kind of a request, as far as a venue's limits distinguish."""


class Limiter(Generic[Kind]):
    """The limits of one account and one IP address, shared by all clients; thread-safe."""

    def __init__(
        self,
        rates: Mapping[Kind, Rate],
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rates = rates
        self._monotonic_s = monotonic_s
        self._sleep = sleep
        self._lock = threading.Lock()
        self._turns = {kind: deque[float](maxlen=rate.requests) for kind, rate in rates.items()}
        self._held_until_s = dict.fromkeys(rates, 0.0)
        self._shut_until_s = 0.0
        self._why_shut = ""

    def wait(self, kind: Kind, *, at_most_s: float) -> None:
        """Block until a request of this kind may be sent, in the order of calls.

        Args:
            kind: of the request.
            at_most_s: how long the caller can wait; if that is too short, no turn is used.

        Raises:
            UnansweredError: everything is stopped, or the turn comes too late.
        """
        now_s, turn_s = self._take_turn(kind, at_most_s)
        if turn_s > now_s:
            self._sleep(turn_s - now_s)
            with self._lock:
                self._check_open(self._monotonic_s())

    def shut(self, for_s: float, why: str) -> None:
        """Stop all requests for some seconds; a longer stop in force stays."""
        with self._lock:
            until_s = self._monotonic_s() + for_s
            if until_s > self._shut_until_s:
                self._shut_until_s, self._why_shut = until_s, why

    def hold(self, kind: Kind, for_s: float) -> None:
        """Stop requests of this kind for some seconds."""
        with self._lock:
            until_s = self._monotonic_s() + for_s
            self._held_until_s[kind] = max(until_s, self._held_until_s[kind])

    def _take_turn(self, kind: Kind, at_most_s: float) -> tuple[float, float]:
        with self._lock:
            now_s = self._monotonic_s()
            self._check_open(now_s)
            turns, rate = self._turns[kind], self._rates[kind]
            turn_s = max(now_s, self._held_until_s[kind])
            if len(turns) == rate.requests:
                turn_s = max(turn_s, turns[0] + rate.per_s)
            if turn_s - now_s > at_most_s:
                raise UnansweredError(
                    f"the rate limit of {kind} is used up for {turn_s - now_s:.2f} s",
                    retry_after_s=turn_s - now_s,
                )
            turns.append(turn_s)
            return now_s, turn_s

    def _check_open(self, now_s: float) -> None:
        left_s = self._shut_until_s - now_s
        if left_s > 0:
            raise UnansweredError(
                f"all requests are stopped for {left_s:.0f} s: {self._why_shut}",
                retry_after_s=left_s,
            )
