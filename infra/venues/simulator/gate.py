"""Who may ask, and how often: keys, signatures, timestamps, rate limits."""

import hashlib
import hmac
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.venues.simulator.clock import Clock, wall_ms
from infra.venues.simulator.refusals import RefusedError

IP_LIMIT = 600
"""Requests of one address in five seconds."""
_AHEAD_MS = 1_000
_DEFAULT_WINDOW_MS = 5_000
_IP_SPAN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """A key of the account that the exchange knows."""

    api_key: str
    api_secret: str
    uid: int = 592_324
    """Of the account, as it is told; another one than the first key's is of a stranger."""
    ips: tuple[str, ...] = ("*",)
    days_left: int = 90
    is_read_only: bool = False

    def sign(self, message: str) -> str:
        """Return the signature of a message."""
        return hmac.new(self.api_secret.encode(), message.encode(), hashlib.sha256).hexdigest()


DEFAULT_KEYS = Keys(api_key="sim-key", api_secret="sim-secret")  # noqa: S106 - of play money
"""What an exchange knows unless it is told otherwise."""


class Gate:
    """Checks of a request before it is read."""

    def __init__(self, keys: Keys, clock: Clock, *, checks_time: bool) -> None:
        """Watch by a clock; without `checks_time` any timestamp will do."""
        self.known = {keys.api_key: keys}
        self.asking = keys
        """The key of the newest request that was let pass."""
        self._clock = clock
        self._checks_time = checks_time

    def check(self, headers: Mapping[str, str], payload: str) -> None:
        """Let a signed request pass.

        Args:
            headers: of the request.
            payload: the query string or the body, exactly as it came.

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
        """Tell whether a stream may see private topics."""
        known = self.known.get(key)
        if not expires.isdigit() or known is None:
            return False
        if self._checks_time and all(int(expires) <= now_ms for now_ms, _ in self._clocks()):
            return False
        return hmac.compare_digest(known.sign(f"GET/realtime{expires}"), sign)

    def check_time(self, stamp: str, window: str) -> None:
        """Let a request pass that is neither too old nor of the future; both are texts, in ms.

        Raises:
            RefusedError: it is, or the stamp is no number.
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
        """Return the times that a client may go by, each with the pace at which it passes.

        Where the exchange's time is not the wall clock's, clients that know only the latter are
        right too. A client's delays take real time, of which the exchange's clock makes `speed`
        times more.
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
            ip_limit: requests of an address in five seconds; 0: as many as it likes.
            ban_s: how long an address is shut out that asked more often.
        """
        self._now_s = now_s
        self._ip_limit = ip_limit
        self._ban_s = ban_s
        self._used: dict[str, deque[float]] = defaultdict(deque)
        self._banned_until_s: dict[str, float] = {}

    def take(self, group: str, limit: int) -> tuple[int, float]:
        """Use one request of a group.

        Returns:
            How many are left, -1 where there was none to use; and the seconds until one is free.
        """
        now_s, used = self._now_s(), self._used[group]
        while used and used[0] <= now_s - 1.0:
            used.popleft()
        if len(used) >= limit:
            return -1, used[0] + 1.0 - now_s
        used.append(now_s)
        return limit - len(used), 0.0

    def is_banned(self, address: str) -> bool:
        """Count a request of an address, and tell whether it asks too often."""
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
