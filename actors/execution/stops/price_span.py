"""The prices that an execution has not processed yet: their span, in one message."""

import threading
from decimal import Decimal

from actors.messages import PriceSeen


class PriceSpan:
    """Widens with each price until the actor has taken it. Thread-safe."""

    def __init__(self) -> None:
        """Start without a price."""
        self._lock = threading.Lock()
        self._newest: PriceSeen | None = None
        self._last_price: Decimal | None = None

    def is_newest(self, last_price: Decimal) -> bool:
        """Tell whether a price is the newest one already."""
        return last_price == self._last_price

    def forget(self) -> None:
        """Start over: earlier prices no longer count."""
        with self._lock:
            self._newest = self._last_price = None

    def spanned(self, asset: str, ts_ms: int, last_price: Decimal) -> PriceSeen:
        """Return a message that spans a price and those not taken yet."""
        with self._lock:
            before, self._last_price = self._newest, last_price
            self._newest = PriceSeen(
                asset=asset,
                ts_ms=ts_ms,
                last_price=last_price,
                high=last_price if before is None else max(before.high, last_price),
                low=last_price if before is None else min(before.low, last_price),
                since_ms=ts_ms if before is None else before.since_ms,
            )
            return self._newest

    def taken(self, message: PriceSeen) -> None:
        """Note that the actor has taken a message: the span starts over."""
        with self._lock:
            if self._newest is message:
                self._newest = None
