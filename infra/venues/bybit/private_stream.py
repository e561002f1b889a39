"""The account's stream: orders, executions and positions.

The stream is a hint and replays nothing: the true state is read by REST at each `on_connected`, and
now and then in between.
"""

import hashlib
import hmac
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Protocol

from domain.errors import AccessDeniedError, BadDataError
from domain.trading.orders import OrderStatus, OrderUpdate
from domain.trading.positions import Execution
from infra.net.callbacks import Message
from infra.net.pool import ConnectLimiter
from infra.net.stream import Stream
from infra.net.stream_stats import StreamStats
from infra.net.timing import StreamTiming
from infra.venues.bybit.shapes.executions import execution_of
from infra.venues.bybit.shapes.messages import Item, Refusals, items_of, sent_ms_of, symbol_of_item
from infra.venues.bybit.shapes.orders import order_of
from infra.venues.bybit.shapes.positions import PositionRow, position_of
from infra.venues.bybit.shapes.row import Row

TOPICS = ("order", "execution", "position")

_LOGIN_MS = 10_000
"""How long a login may take to arrive; the usual second fails when clocks differ."""


class PrivateListener(Protocol):
    """Receives the account's updates, in the stream's thread. The calls must only tell."""

    def on_order(self, asset: str, update: OrderUpdate) -> None:
        """Take an update of one of our orders."""

    def on_execution(self, execution: Execution) -> None:
        """Take an execution, or a funding payment. May repeat one."""

    def on_position(self, asset: str, position: PositionRow) -> None:
        """Take a position; also sent when nothing changed."""

    def on_unreadable(self, topic: str) -> None:
        """Learn that an item of a topic could not be read, so its content is unknown."""

    def on_connected(self, down_s: float) -> None:
        """Learn that all topics are live (again), and for how many seconds they were not."""

    def on_lost(self, reason: str) -> None:
        """Learn that the stream is down."""

    def on_denied(self, error: AccessDeniedError) -> None:
        """Learn that the venue refuses our login. It is retried, slowly."""


def login_args(api_key: str, api_secret: str, expires_ms: int) -> list[object]:
    """Return the arguments of a login that is valid until a time of the venue's clock."""
    signed = f"GET/realtime{expires_ms}".encode()
    signature = hmac.new(api_secret.encode(), signed, hashlib.sha256).hexdigest()
    return [api_key, expires_ms, signature]


class PrivateStream:
    """One account's stream."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str,
        api_secret: str,
        assets: Mapping[str, str],
        listener: PrivateListener,
        now_ms: Callable[[], int],
        rng: Random,
        timing: StreamTiming | None = None,
        limiter: ConnectLimiter | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare the stream; `start` starts it.

        Args:
            url: of the private stream.
            api_key: of the account.
            api_secret: signs each login.
            assets: asset by symbol; updates of other symbols are counted and ignored.
            listener: receives the updates.
            now_ms: the venue's time.
            rng: for the jitter.
            timing: time limits.
            limiter: shared with the other streams of this machine.
            ssl_context: for wss; the system's certificates by default.
        """
        self._assets = assets
        self._listener = listener
        self._refusals = Refusals()
        self._live: set[str] = set()
        self._readers = {
            "order": self._read_order,
            "execution": self._read_execution,
            "position": self._read_position,
        }
        self._stream = Stream(
            url,
            TOPICS,
            self._on_message,
            self._on_connected,
            self._on_lost,
            rng=rng,
            auth=lambda: login_args(api_key, api_secret, now_ms() + _LOGIN_MS),
            on_denied=listener.on_denied,
            timing=timing,
            connect_wait_s=None if limiter is None else limiter.reserve_s,
            ssl_context=ssl_context,
            name="private stream",
        )

    def start(self) -> None:
        """Start to connect; once."""
        self._stream.start()

    def close(self, timeout_s: float = 10.0) -> bool:
        """Stop, and return whether its thread ended in time; may be called twice."""
        self._stream.close()
        return self._stream.join(timeout_s)

    @property
    def is_live(self) -> bool:
        """Tell whether the venue has confirmed the login and all topics; from any thread."""
        return len(self._live) == len(TOPICS)

    def stats(self) -> StreamStats:
        """Return the connection's counters; from any thread."""
        return self._stream.stats()

    def refused(self) -> Mapping[str, int]:
        """Return the number of items that could not be read, by kind; from any thread."""
        return self._refusals.counts()

    # Called by the stream.

    def _on_connected(self, topic: str, down_s: float) -> None:
        self._live.add(topic)
        if len(self._live) == len(TOPICS):
            self._listener.on_connected(down_s)

    def _on_lost(self, topic: str, reason: str) -> None:
        was_whole = len(self._live) == len(TOPICS)
        self._live.discard(topic)
        if was_whole:
            self._listener.on_lost(reason)

    def _on_message(self, topic: str, message: Message) -> None:
        read, otherwise = self._readers[topic], partial(self._listener.on_unreadable, topic)
        sent_ms = self._refusals.attempt(topic, lambda: sent_ms_of(message))
        for item in self._refusals.attempt(topic, lambda: items_of(message), otherwise) or ():
            self._refusals.attempt(topic, partial(read, item, sent_ms), otherwise)

    def _asset_of(self, item: Item) -> str | None:
        symbol = symbol_of_item(item)
        asset = None if symbol is None else self._assets.get(symbol)
        if asset is None:
            self._refusals.count("foreign", f"{symbol or 'not linear'}")
        return asset

    def _read_order(self, item: Item, _sent_ms: int | None) -> None:
        asset, row = self._asset_of(item), Row("order", item)
        if asset is None:
            return
        client_order_id = row.text_if_any("orderLinkId")
        if client_order_id is None:
            # Orders made by the exchange itself are our stops, which the position topic reports.
            if row.word("createType") == "CreateByUser":
                self._refusals.count("order without an id of ours", "CreateByUser")
            return
        order = order_of(row)
        if order.status is OrderStatus.UNKNOWN:
            raise BadDataError(f"order: expected a known orderStatus, found {order.detail}")
        self._listener.on_order(asset, order.update(client_order_id))

    def _read_execution(self, item: Item, _sent_ms: int | None) -> None:
        if self._asset_of(item) is None:
            return
        execution = execution_of(Row("execution", item))
        if not execution.is_known_type:
            self._refusals.count("execution of another kind", execution.exec_type)
            return
        self._listener.on_execution(execution.execution)

    def _read_position(self, item: Item, sent_ms: int | None) -> None:
        asset, row = self._asset_of(item), Row("position", item)
        if asset is not None:
            ts_ms = row.time_ms("updatedTime") if sent_ms is None else sent_ms
            self._listener.on_position(asset, position_of(row, ts_ms))
