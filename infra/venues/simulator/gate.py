"""Access control: keys, signatures, timestamps, rate limits."""

import hashlib
import hmac
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.venues.simulator.clock import Clock, wall_ms
from infra.venues.simulator.refusals import RefusedError

IP_LIMIT = 600
"""Requests per address in five seconds."""
_AHEAD_MS = 1_000
_DEFAULT_WINDOW_MS = 5_000
_IP_SPAN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """A key known to the exchange."""

    api_key: str
    api_secret: str
    uid: int = 592_324
    """The account's number; a number other than the first key's means another account."""
    ips: tuple[str, ...] = ("*",)
    days_left: int = 90
    is_read_only: bool = False

    def sign(self, message: str) -> str:
        return hmac.new(self.api_secret.encode(), message.encode(), hashlib.sha256).hexdigest()


DEFAULT_KEYS = Keys(api_key="sim-key", api_secret="sim-secret")  # noqa: S106 - of play money
"""The default key."""


class Gate:
    """Checks a request before it is read."""

    def __init__(self, keys: Keys, clock: Clock, *, checks_time: bool) -> None:
        """Check by a clock; without `checks_time` any timestamp is accepted."""
        self.known = {keys.api_key: keys}
        self.asking = keys
        """The key of the last accepted request."""
        self._clock = clock
        self._checks_time = checks_time

    def check(self, headers: Mapping[str, str], payload: str) -> None:
        """Accept a correctly signed request.

        Args:
            headers: of the request.
            payload: the query string or the body, exactly as received.

        Raises:
            RefusedError: key, signature or timestamp are wrong.
        """
        key, sign = headers.get("x-bapi-api-key", ""), headers.get("x-bapi-sign", "")
        stamp = headers.get("x-bapi-timestamp", "")
        window = headers.get("x-bapi-recv-window", "")
        if not key or not sign or not stamp:
            raise RefusedError(10001, "Request parameter error")
        known = self.known.get(key)
        if known is None:
            raise RefusedError(10003, "API key is invalid.")
        self.check_time(stamp, window)
        if not hmac.compare_digest(known.sign(f"{stamp}{key}{window}{payload}"), sign):
            raise RefusedError(
                10004,
                "Error sign, please check your signature generation algorithm. "
                f"origin_string[{stamp}{key}{window}{payload}]",
            )
        self.asking = known

    def is_authentic(self, key: str, expires: str, sign: str) -> bool:
        """Tell whether a stream may subscribe to private topics."""
        known = self.known.get(key)
        if not expires.isdigit() or known is None:
            return False
        if self._checks_time and all(int(expires) <= now_ms for now_ms, _ in self._clocks()):
            return False
        return hmac.compare_digest(known.sign(f"GET/realtime{expires}"), sign)

    def check_time(self, stamp: str, window: str) -> None:
        """Accept a request neither too old nor from the future; both arguments are texts, ms.

        Raises:
            RefusedError: it is, or the timestamp is not a number.
        """
        if not stamp.isdigit():
            raise RefusedError(10001, "Request parameter error")
        stamp_ms = int(stamp)
        window_ms = int(window) if window.isdigit() else _DEFAULT_WINDOW_MS
        is_inside = any(
            now_ms - window_ms * stretch <= stamp_ms < now_ms + _AHEAD_MS * stretch
            for now_ms, stretch in self._clocks()
        )
        if self._checks_time and not is_inside:
            now_ms = self._clock.told_ms()
            raise RefusedError(
                10002,
                "invalid request, please check your server timestamp or recv_window param. "
                f"req_timestamp[{stamp_ms}],server_timestamp[{now_ms}],recv_window[{window_ms}]",
            )

    def _clocks(self) -> list[tuple[int, float]]:
        """Return the times that a client may use, each with its speed.

        If the exchange's time is not the wall clock's, clients that know only the latter are
        accepted too. A client's delays take real time, which the exchange's clock multiplies by
        `speed`.
        """
        found = [(self._clock.told_ms(), max(1.0, self._clock.speed or 1.0))]
        if abs(self._clock.now_ms() - wall_ms()) > _AHEAD_MS:
            found.append((wall_ms(), 1.0))
        return found


class RateLimits:
    """Requests per rolling second and group, and per address."""

    def __init__(
        self,
        now_s: Callable[[], float] = time.monotonic,
        *,
        ip_limit: int = IP_LIMIT,
        ban_s: float = 600.0,
    ) -> None:
        """Start with nothing used.

        Args:
            now_s: real seconds.
            ip_limit: requests per address in five seconds; 0: unlimited.
            ban_s: how long an address that exceeds it is banned.
        """
        self._now_s = now_s
        self._ip_limit = ip_limit
        self._ban_s = ban_s
        self._used: dict[str, deque[float]] = defaultdict(deque)
        self._banned_until_s: dict[str, float] = {}

    def take(self, group: str, limit: int) -> tuple[int, float]:
        """Use one request of a group.

        Returns:
            How many are left, -1 if there was none to use; and the seconds until one is free.
        """
        now_s, used = self._now_s(), self._used[group]
        while used and used[0] <= now_s - 1.0:
            used.popleft()
        if len(used) >= limit:
            return -1, used[0] + 1.0 - now_s
        used.append(now_s)
        return limit - len(used), 0.0

    def is_banned(self, address: str) -> bool:
        """Count a request of an address, and tell whether the address is banned."""
        if not self._ip_limit:
            return False
        now_s, used = self._now_s(), self._used[f"ip/{address}"]
        if now_s < self._banned_until_s.get(address, 0.0):
            return True
        while used and used[0] <= now_s - _IP_SPAN_S:
            used.popleft()
        used.append(now_s)
        if len(used) <= self._ip_limit:
            return False
        self._banned_until_s[address] = now_s + self._ban_s
        return True
