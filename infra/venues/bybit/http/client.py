"""pybit's client with our clock, our connections and our reading of responses."""

import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import requests
from pybit.unified_trading import HTTP  # type: ignore[import-untyped]
from urllib3.util import parse_url

from infra.net.server_clock import ServerClock
from infra.venues.bybit.credentials import KeyInUse
from infra.venues.bybit.http.outcome import Answer, read
from infra.venues.bybit.http.send_fence import DEPARTURE, Session

_LOOPBACK = "http://127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Time limits of requests."""

    connect_s: float = 3.0
    answer_s: float = 5.0
    """Longest wait for data on an open connection."""
    recv_window_ms: int = 5000
    """How long a signed request stays valid at the venue."""
    read_budget_s: float = 6.0
    """Budget for all attempts of a read: a look-up makes three reads, within `hang_seconds`."""
    first_pause_s: float = 0.25
    longest_pause_s: float = 3.0
    turn_s: float = 2.0
    """How long a request that changes something may wait for the rate limit."""
    idle_s: float = 15.0
    """A connection idle for longer is not reused: the venue may have dropped it silently."""


PATIENCE = Patience()


class Client(HTTP):  # type: ignore[misc]
    """pybit's client with our clock, our connections and our reading of responses."""

    def __init__(
        self,
        keys: KeyInUse,
        base_url: str,
        clock: ServerClock,
        patience: Patience,
        ssl_context: ssl.SSLContext,
    ) -> None:
        """Switch pybit's own retries off; nothing is connected yet."""
        with _without_new_handlers():
            super().__init__(
                api_key=None if keys.now is None else keys.now.api_key,
                api_secret=None if keys.now is None else keys.now.api_secret,
                recv_window=patience.recv_window_ms,
                max_retries=1,
                retry_codes={-999_999},  # an empty set would mean pybit's own
            )
        self.endpoint = base_url
        self.client: requests.Session = Session(ssl_context)
        self.logger = _SILENT
        self._keys, self._clock = keys, clock
        self.used_s = 0.0

    def __repr__(self) -> str:
        return f"<client of {self.endpoint}>"  # pybit's own repr shows the secret

    @staticmethod
    def prepare_payload(method: str, parameters: dict[str, object]) -> str:
        """Return the payload to be signed."""
        payload: str = HTTP.prepare_payload(method, parameters)
        if method == "GET" and payload:
            # What is signed must be exactly what is sent, including URL quoting.
            url = requests.Request("GET", f"{_LOOPBACK}/?{payload}").prepare().url
            payload = parse_url(url or "").query or ""
        return payload

    def _prepare_headers(
        self, payload: str, recv_window: int, content_type: str = "application/json"
    ) -> dict[str, str]:
        departure, timestamp, key = DEPARTURE.get(), self._clock.now_ms(), self._keys.now
        if key is not None:  # one thread per client: nothing else reads half of a key
            self.api_key, self.api_secret = key.api_key, key.api_secret
        if departure is not None:
            departure.check()
            departure.dead_after_ms = timestamp + self._clock.passing_in(recv_window)
        return {
            "Content-Type": content_type,
            "X-BAPI-API-KEY": self.api_key,
            "X-BAPI-SIGN": self._auth(payload, recv_window, timestamp),
            "X-BAPI-SIGN-TYPE": "2",
            "X-BAPI-TIMESTAMP": str(timestamp),
            "X-BAPI-RECV-WINDOW": str(recv_window),
        }

    def _handle_response(self, response: requests.Response, *_: object) -> Answer:
        return read(response)


_SILENT = logging.getLogger("infra.venues.bybit.pybit")
_SILENT.disabled = True
_MAKING = threading.Lock()


@contextmanager
def _without_new_handlers() -> Iterator[None]:
    """Undo pybit's adding of a log handler per client when the root logger has none."""
    pybit_logger = logging.getLogger("pybit._http_manager")
    with _MAKING:
        before = list(pybit_logger.handlers)
        yield
        for handler in set(pybit_logger.handlers) - set(before):
            pybit_logger.removeHandler(handler)
